/**
 * A metamorphic attack on `sure`: samples are changed as reality changes traces, and nothing may be sure of the changed trace
 * that was not sure of the whole one. The same seed gives the same run.
 */
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import type {Finding, Report} from '../../src/results/report.js';
import {UserError} from '../../src/io/user-error.js';
import {Random} from '../fuzz/random.js';
import {analyzeFiles} from '../rules/analyze-text.js';
import {type Line, linesOf, textOf} from './lines.js';
import {MUTATIONS} from './mutations.js';

/** One deed, told by what is left of it: a rule, and those that may tell of the same in the whole trace. */
const KIN: Record<string, readonly string[]> = {
  'pin-leak': ['put-on-pin'],
  'get-leak': ['put-on-pin', 'pin-leak', 'unpin-without-pin'],
  'unpin-without-pin': ['get-leak', 'put-on-pin'],
  'unpin-while-dma': ['free-while-dma'],
  'free-while-dma': ['unpin-while-dma'],
  'free-while-pinned': ['put-on-pin'],
  'dirty-after-writeback': ['dirty-after-unpin', 'writeback-while-pinned'],
  'dirty-after-unpin': ['dirty-after-writeback'],
  'writeback-while-dma': ['writeback-while-pinned'],
};
/** What has no time of its own. */
const UNTIMED: readonly string[] = ['pin-leak', 'get-leak', 'put-on-pin'];
/** Of one deed: a trace with lines missing may begin or end it elsewhere. */
const SLACK_NS = 2_000_000;

export interface Outcome {
  seed: number;
  mutation: string;
  what: string;
  sample: string;
  /** false where the changed trace was refused with a clear line */
  read: boolean;
  /** findings that are sure of the changed trace only: `rule page: message` */
  falselySure: string[];
}

interface Sample {
  name: string;
  lines: Line[];
  /** of the whole trace */
  truth?: Finding[];
}

export class Attack {
  private readonly samples: Sample[];
  private readonly mutations;
  private readonly dir = mkdtempSync(path.join(tmpdir(), 'pinscope-attack-'));

  /**
   * `only`: a part of the names of mutations or samples.
   * `linesMax`: longest samples used.
   */
  constructor(only = '', root = 'sample-traces', linesMax = Infinity) {
    const samples = ['ftrace', 'bpftrace'].flatMap((form) =>
      readdirSync(path.join(root, form), {recursive: true, encoding: 'utf8'})
        .filter((file) => /\.txt(?:\.gz)?$/.test(file))
        .sort()
        .map((file): Sample => ({name: `${form}/${file}`, lines: linesOf(path.join(root, form, file))})),
    );
    const within = samples.filter(({lines}) => lines.length <= linesMax && lines.some((line) => line.name !== ''));
    const chosen = within.filter(({name}) => name.includes(only));
    const mutations = MUTATIONS.filter(({name}) => name.includes(only));
    this.samples = chosen.length > 0 ? chosen : within;
    this.mutations = mutations.length > 0 ? mutations : MUTATIONS;
    if (chosen.length + mutations.length === 0) throw new Error(`no mutation and no sample has "${only}" in its name`);
  }

  get size(): string {
    return `${this.mutations.length} mutations of ${this.samples.length} samples`;
  }

  close(): void {
    rmSync(this.dir, {recursive: true, force: true});
  }

  /** One run. `save`: where the changed trace goes. */
  async run(seed: number, save?: string): Promise<Outcome> {
    const random = new Random(seed);
    const mutation = random.of(this.mutations);
    const sample = random.of(this.samples);
    const made = mutation.make(sample.lines, random);
    const outcome = {seed, mutation: mutation.name, what: made?.what ?? '', sample: sample.name};
    if (made === null) return {...outcome, read: false, falselySure: []};
    sample.truth ??= alarms((await this.report(sample.lines))!);
    const report = await this.report(made.lines, save);
    if (report === null) return {...outcome, read: false, falselySure: []};
    const slack = SLACK_NS + (made.slack_ns ?? 0);
    return {...outcome, read: true, falselySure: alarms(report).flatMap((f) => untrue(f, sample.truth!, slack))};
  }

  /** Null where it is refused. */
  private async report(lines: readonly Line[], save?: string): Promise<Report | null> {
    const file = save ?? path.join(this.dir, 'trace.txt');
    writeFileSync(file, textOf(lines), 'latin1');
    try {
      return await analyzeFiles([file]);
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  }
}

/** What a report is certain of, and that is no note. */
function alarms({findings}: Report): Finding[] {
  return findings.filter((f) => f.verdict === 'sure' && f.severity !== 'note');
}

/** The pages of a finding of which the whole trace is not certain. */
function untrue(finding: Finding, truth: readonly Finding[], slack_ns: number): string[] {
  const rules: readonly string[] = [finding.rule, ...(KIN[finding.rule] ?? [])];
  const same = truth.filter((f) => rules.includes(f.rule));
  return finding.pages
    .filter(
      (page) =>
        !same.some((f) => f.pages.some((known) => covers(known, page) && meets(f, known, finding, page, slack_ns))),
    )
    .map((page) => `${finding.rule} ${page.pfn}: ${finding.message}`);
}

type Page = Finding['pages'][number];

/** They have a page frame in common. */
function covers(a: Page, b: Page): boolean {
  const [first, other] = [Number(a.pfn), Number(b.pfn)];
  return first < other + 2 ** b.order && other < first + 2 ** a.order;
}

function meets(f: Finding, p: Page, g: Finding, q: Page, slack_ns: number): boolean {
  if (UNTIMED.includes(f.rule) || UNTIMED.includes(g.rule)) return true;
  const [from, to] = timesOf(f, p);
  const [since, until] = timesOf(g, q);
  return from <= until + slack_ns && since <= to + slack_ns;
}

/** From the first to the last time of a page in a finding, in ns; always, where there is none. */
function timesOf(f: Finding, p: Page): [number, number] {
  const start = p.start_ns ?? f.start_ns;
  const end = p.end_ns ?? f.end_ns ?? start;
  return start === null || end === null ? [-Infinity, Infinity] : [Number(start), Number(end)];
}
