/** Runs of the simulated machine, each recorded and analysed, and what was told of them held against what happened. */
import {writeFileSync} from 'node:fs';
import {UserError} from '../../../src/io/user-error.js';
import {analyzeText} from '../../rules/analyze-text.js';
import type {Outcome} from '../attack.js';
import {type Judgement, judge} from './judge.js';
import {type Manner, record} from './recording.js';
import {BUGS, simulate, type Wish} from './simulate.js';

/** Pages of planted bugs, by how they were told. */
export type Found = Record<string, {sure: number; possible: number; missed: number}>;

export class Simulation {
  readonly found: Found = {};
  private readonly manner: Manner;
  private readonly wish: Wish;

  constructor(manner: string, only = '') {
    if (manner !== 'complete' && manner !== 'any') throw new Error(`--simulate is complete or any, not "${manner}"`);
    const bug = [...BUGS, 'none' as const].find((name) => name === only);
    if (only !== '' && bug === undefined) throw new Error(`--only is one of ${BUGS.join(', ')}, none; not "${only}"`);
    this.manner = manner;
    this.wish = bug === undefined ? {} : {bug};
  }

  get size(): string {
    return `simulated machines, recorded ${this.manner === 'any' ? 'in any manner' : 'whole'}`;
  }

  close(): void {}

  /** One run. `save`: where its trace goes. */
  async run(seed: number, save?: string): Promise<Outcome> {
    const run = simulate(seed, this.wish);
    const {text, what} = record(run, seed, this.manner);
    if (save !== undefined) writeFileSync(save, text);
    const {release, refs} = run.build;
    const outcome = {
      seed,
      mutation: run.bug ?? 'correct work',
      what,
      sample: `${release}${refs ? ' with counts' : ''}`,
    };
    try {
      const judged = judge(run, (await analyzeText(text)).findings);
      this.count(judged);
      return {...outcome, read: true, falselySure: judged.falselySure};
    } catch (error) {
      if (error instanceof UserError) return {...outcome, read: false, falselySure: []};
      throw error;
    }
  }

  private count({planted}: Judgement): void {
    for (const {rule, told} of planted) (this.found[rule] ??= {sure: 0, possible: 0, missed: 0})[told]++;
  }
}
