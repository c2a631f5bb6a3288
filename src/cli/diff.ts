/** `pinscope diff GOOD BAD`. */
import {bisectStatus, compare, isWorse} from '../diff/compare.js';
import {type Facts, factsOf} from '../diff/facts.js';
import {UserError} from '../io/user-error.js';
import {DIFF_RENDERERS, type DiffForm} from '../report/diff/index.js';
import type {DiffReport, DiffSide} from '../results/diff.js';
import type {TraceOptions} from './base.js';
import {produce} from './run.js';
import {Sources} from './sources.js';
import {parseInteger} from './values.js';

export interface DiffAsked {
  /** answer with the statuses of `git bisect run` */
  bisect: boolean;
  /** calls that BAD must have to be called good; half of GOOD's where not given */
  deeds: string | undefined;
}

/** Answers with the exit status. Throws UserError. */
export async function runDiff(options: TraceOptions<DiffForm>, asked: DiffAsked, version: string): Promise<number> {
  const [good, bad, ...more] = options.traces;
  if (good === undefined || bad === undefined || more.length > 0)
    throw new UserError('diff compares two', {next: 'name them: pinscope diff GOOD BAD'});
  const wanted = asked.deeds === undefined ? undefined : parseInteger('deeds', asked.deeds, 1, 1e9);
  let status = 0;
  const code = await produce(options, DIFF_RENDERERS[options.to], async (run) => {
    const sources = new Sources(options, version, run.signal);
    try {
      const a = await factsOf(await sources.filesOf(good), good);
      const b = await factsOf(await sources.filesOf(bad), bad);
      if (run.signal.aborted) throw new UserError('stopped');
      for (const [facts, where] of [
        [a, good],
        [b, bad],
      ] as const)
        if (facts.deeds === 0)
          throw new UserError('shows no pins being taken, or does not tell time: there is nothing to compare', {where});
      const rows = compare(a, b);
      const result: DiffReport = {
        schema: 'pinscope.diff/1',
        tool: {name: 'pinscope', version},
        good: sideOf(a, good),
        bad: sideOf(b, bad),
        rules_only_in: {
          good: [...a.ran].filter((rule) => !b.ran.has(rule)),
          bad: [...b.ran].filter((rule) => !a.ran.has(rule)),
        },
        rows,
        worse: isWorse(rows),
      };
      status = asked.bisect ? bisectStatus(rows, a, b, wanted ?? Math.ceil(a.deeds / 2)) : result.worse ? 1 : 0;
      return {result, code: 0};
    } finally {
      sources.release();
    }
  });
  return code === 0 ? status : code;
}

function sideOf(facts: Facts, path: string): DiffSide {
  const {traces, seconds, busySeconds, losses, deeds} = facts;
  return {path, traces, seconds, busy_seconds: busySeconds, losses, deeds};
}
