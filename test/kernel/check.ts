/** What the rounds share: the count of failures, the files that go into a guest, pinscope's word on a trace. */
import {spawnSync} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {Report} from '../../src/results/report.js';
import {judge, parseDeeds, type Deed, type Judgement} from './judge.js';
import type {Kernel} from './packages.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
export const ROOT = join(HERE, '../..');

/** Of what is wrong with one trace. */
const WRONG_SHOWN = 20;

let failed = 0;

/** How many results were not as they must be. */
export function failures(): number {
  return failed;
}

/** Prints one result, and what there is to say of it. */
export function result(ok: boolean, what: string, more: string[] = []): void {
  if (!ok) failed++;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}`);
  for (const line of more) console.log(`         ${line}`);
}

/** A file of test/kernel/guest. */
export function guestFile(name: string): string {
  return readFileSync(join(HERE, 'guest', name), 'utf8');
}

/** The report on a trace, every finding in it. */
export function analyze(trace: string, ...options: string[]): Report {
  const run = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'bin/dev.js', 'analyze', '--json', '--severity', 'note', ...options, trace],
    {cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28},
  );
  if (run.status !== 0 && run.status !== 1) throw new Error(`pinscope analyze ended with ${run.status}: ${run.stderr}`);
  return JSON.parse(run.stdout) as Report;
}

/** Where a guest left its results, and what its scenario printed. */
export interface Outcome {
  kernel: Kernel;
  /** the round, where its kernel and recording do not tell */
  round?: string;
  out: string;
  log: string;
}

/** Whether the recording `name` ended with the status `wanted`; says so if not. */
function recorded({out, log}: Outcome, title: string, name: string, wanted: number): boolean {
  const status = log.split('\n').find((line) => line.startsWith(`status ${name} `));
  const ok = status !== undefined && Number(status.split(' ')[2]) === wanted;
  if (!ok) {
    const said = readFileSync(join(out, `${name}.said`), 'utf8')
      .trim()
      .split('\n')
      .slice(-5);
    result(false, `${title}: the recording`, [status ?? 'no status', ...said]);
  }
  return ok;
}

/** What was done in the recording `name`, and in `name`.lost while events were lost on purpose. */
function deedsOf(out: string, name: string): Deed[] {
  const deeds = parseDeeds(readFileSync(join(out, `${name}.deeds`), 'utf8'));
  const lost = join(out, `${name}.lost`);
  if (!existsSync(lost)) return deeds;
  return [...parseDeeds(readFileSync(lost, 'utf8')).map((deed) => ({...deed, lost: true as const})), ...deeds];
}

/**
 * Holds the trace `name`.trace against `name`.deeds, if its recording ended with `status`. Answers the report if there is one, for further questions.
 */
export function checkRecording(
  outcome: Outcome,
  name: string,
  judgement: Judgement = {},
  status = 0,
): Report | undefined {
  const {kernel, round, out, log} = outcome;
  const title = [kernel.target, round, name].filter(Boolean).join(' ');
  if (!recorded(outcome, title, name, status)) return undefined;
  result(log.includes(`restored after ${name}\n`), `${title}: tracing is left as it was`);
  try {
    const deeds = deedsOf(out, name);
    const {rules} = judgement;
    const trace = join(out, `${name}.trace`);
    const report = analyze(
      trace,
      ...(rules === undefined ? [] : ['--rule', rules.join(',')]),
      ...(existsSync(`${trace}.kallsyms`) ? ['--kallsyms', `${trace}.kallsyms`] : []),
    );
    const {by_rule: counts, pins, dma_windows: windows} = report.summary;
    // A probe that is met while another one is handled on its CPU is missed, a program of bpftrace is skipped: where the
    // recording counts that, pinscope may call possible what the missing event would have explained.
    const missed = report.quality
      .filter(({id}) => id === 'lost-events' || id === 'probe-misses')
      .reduce((sum, {count}) => sum + count, 0);
    const wrong = judge(report, deeds, kernel.series, {...judgement, missed});
    const seen = Object.entries(counts).filter(([, n]) => n > 0);
    result(wrong.length === 0, `${title}: found what ${deeds.length} deeds did, and nothing else`, [
      `${report.inputs[0]?.events} events, ${pins} pins, ${windows} DMA mappings; ${seen.map(([rule, n]) => `${rule} ${n}`).join(', ')}`,
      ...wrong.slice(0, WRONG_SHOWN),
      ...(wrong.length > WRONG_SHOWN ? [`and ${wrong.length - WRONG_SHOWN} more like these`] : []),
    ]);
    result(report.inputs[0]?.unrecognised.count === 0, `${title}: every line was understood`, [
      ...(report.inputs[0]?.unrecognised.first ?? [])
        .slice(0, 3)
        .map((line) => `line ${line.line}: ${line.text.slice(0, 120)}`),
    ]);
    return report;
  } catch (error) {
    result(false, `${title}: the analysis`, [String(error).slice(0, 600)]);
    return undefined;
  }
}
