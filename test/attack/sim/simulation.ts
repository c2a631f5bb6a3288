/** Runs of the simulated machine, each recorded and analysed, and what was told of them held against what happened. */
import {writeFileSync} from 'node:fs';
import {UserError} from '../../../src/io/user-error.js';
import {analyzeText} from '../../rules/analyze-text.js';
import type {Outcome} from '../attack.js';
import {linesIn, textOf} from '../lines.js';
import {MUTATIONS} from '../mutations.js';
import {Random} from '../../fuzz/random.js';
import {type Judgement, judge} from './judge.js';
import {type Manner, record} from './recording.js';
import {BUGS, type Run, simulate, type Wish} from './simulate.js';

/** Pages of planted bugs, by how they were told. */
export type Found = Record<string, {sure: number; possible: number; missed: number}>;

export class Simulation {
  readonly found: Found = {};
  private readonly manner: Manner | 'changed';
  private readonly wish: Wish;

  constructor(manner: string, only = '', wish: Wish = {}) {
    if (manner !== 'complete' && manner !== 'any' && manner !== 'changed')
      throw new Error(`--simulate is complete, any or changed, not "${manner}"`);
    const bug = [...BUGS, 'none' as const].find((name) => name === only);
    if (only !== '' && bug === undefined) throw new Error(`--only is one of ${BUGS.join(', ')}, none; not "${only}"`);
    this.manner = manner;
    this.wish = bug === undefined ? wish : {...wish, bug};
  }

  get size(): string {
    const how = {any: 'in any manner', complete: 'whole', changed: 'whole, and changed as reality changes traces'};
    return `simulated machines, recorded ${how[this.manner]}`;
  }

  close(): void {}

  /** One run. `save`: where its trace goes. */
  async run(seed: number, save?: string): Promise<Outcome> {
    const run = simulate(seed, this.wish);
    const {text, what, slack_ns, end_ns} = this.record(run, seed);
    if (save !== undefined) writeFileSync(save, text);
    const {release, refs} = run.build;
    const outcome = {
      seed,
      mutation: run.bug ?? 'correct work',
      what: [what, run.features.join(' ')].filter((part) => part !== '').join('; '),
      sample: `${release}${refs ? ' with counts' : ''}`,
    };
    try {
      const judged = judge(run, (await analyzeText(text)).findings, slack_ns, end_ns);
      this.count(judged);
      return {...outcome, read: true, falselySure: judged.falselySure};
    } catch (error) {
      if (error instanceof UserError) return {...outcome, read: false, falselySure: []};
      throw error;
    }
  }

  private record(run: Run, seed: number): {text: string; what: string; slack_ns?: number; end_ns?: number} {
    if (this.manner !== 'changed') return record(run, seed, this.manner);
    const random = new Random(seed ^ 0x1f83d9ab);
    const mutation = random.of(MUTATIONS);
    const made = mutation.make(linesIn(record(run, seed, 'complete').text), random);
    if (made === null) return record(run, seed, 'complete');
    return {text: textOf(made.lines), what: `${mutation.name} ${made.what ?? ''}`.trim(), slack_ns: made.slack_ns};
  }

  private count({planted}: Judgement): void {
    for (const {rule, told} of planted) (this.found[rule] ??= {sure: 0, possible: 0, missed: 0})[told]++;
  }
}
