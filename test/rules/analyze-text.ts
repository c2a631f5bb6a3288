/** The real pipeline over a text: what `pinscope analyze --to json` would print. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {analyzeReading, type AnalyzeOptions} from '../../src/run/analyze.js';
import type {Ledger} from '../../src/ledger/ledger.js';
import type {KernelVersion} from '../../src/base/selection.js';
import type {Report} from '../../src/results/report.js';

export interface AnalyzeTextOptions {
  /** `--kernel`, such as 6.1 */
  kernel?: string;
  /** `--long-pin`; 1 s when left out, as on the command line */
  longPin_ns?: number;
  vmemmap?: bigint;
  /** `--clock`, such as mono */
  clock?: string;
  follow?: AnalyzeOptions['follow'];
  /** what was read, for tests that ask the ledger itself */
  read?: (ledger: Ledger) => void;
}

/** The report on files, with every option as the command line has it by default. */
export async function analyzeFiles(traces: readonly string[], options: AnalyzeTextOptions = {}): Promise<Report> {
  const {report, reading} = await analyzeReading(optionsFor(traces, options), () => []);
  options.read?.(reading.ledger);
  return report;
}

/** Every option as the command line has it by default. */
export function optionsFor(traces: readonly string[], options: AnalyzeTextOptions = {}): AnalyzeOptions {
  return {
    traces,
    from: undefined,
    kernel: options.kernel === undefined ? undefined : kernelOf(options.kernel),
    pageShift: undefined,
    vmemmap: options.vmemmap,
    clock: options.clock,
    rules: [],
    longPin_ns: options.longPin_ns ?? 1e9,
    suppressions: undefined,
    selected: () => true,
    command: [],
    version: '0.0.0',
    follow: options.follow,
  };
}

/** The report on a text, or on several that are read together. */
export async function analyzeText(text: string | readonly string[], options?: AnalyzeTextOptions): Promise<Report> {
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-rules-'));
  try {
    const files = (typeof text === 'string' ? [text] : text).map((part, i) => {
      const file = path.join(dir, `trace-${i}.txt`);
      writeFileSync(file, part);
      return file;
    });
    return await analyzeFiles(files, options);
  } finally {
    rmSync(dir, {recursive: true});
  }
}

/** Every finding of a report in one line: `unpin-while-dma error sure 0x2fb0`, pages in order. */
export function told(report: Report): string[] {
  return report.findings.map(
    (f) =>
      `${f.rule} ${f.severity} ${f.verdict} ${f.pages.map((p) => p.pfn + (p.order > 0 ? `/${p.order}` : '')).join(',')}`,
  );
}

/** What a text makes it tell. */
export async function toldOf(text: string | readonly string[], options?: AnalyzeTextOptions): Promise<string[]> {
  return told(await analyzeText(text, options));
}

function kernelOf(text: string): KernelVersion {
  const [major, minor] = text.split('.').map(Number);
  return {text, major: major!, minor: minor!};
}
