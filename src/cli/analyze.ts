/** `pinscope analyze`: options in, report out, exit status back. */
import {readFile} from 'node:fs/promises';
import {analyze} from '../analyze/report.js';
import {selector} from '../analyze/select.js';
import {UserError} from '../io/user-error.js';
import {REPORT_RENDERERS} from '../report/index.js';
import {type Kallsyms, KallsymsError, parseKallsyms, symbolised} from '../report/kallsyms.js';
import type {TraceOptions} from './base.js';
import {type ExitCode, exitCodeOf} from './exit.js';
import {judging} from './judging.js';
import {produce} from './run.js';

export async function runAnalyze(options: TraceOptions, version: string, kallsyms?: string): Promise<ExitCode> {
  const judged = await judging(options, version);
  const symbols = kallsyms === undefined ? undefined : await readKallsyms(kallsyms);
  return produce(options, REPORT_RENDERERS[options.to], async (run) => {
    const report = await analyze({...judged, selected: selector(options), ...run});
    if (symbols)
      for (const {stacks} of report.findings) for (const s of stacks) s.frames = symbolised(s.frames, symbols);
    const code = exitCodeOf(report, options);
    return {result: report, code, remark: code === 2 ? nothingJudged(report.inputs.length) : undefined};
  });
}

async function readKallsyms(file: string): Promise<Kallsyms> {
  try {
    return parseKallsyms(await readFile(file, 'latin1'));
  } catch (error) {
    if (error instanceof KallsymsError) throw new UserError(error.message, {where: file});
    throw new UserError('cannot be read', {where: file, next: 'give a copy of /proc/kallsyms', cause: error});
  }
}

function nothingJudged(inputs: number): string {
  return (
    `no rule could judge ${inputs === 1 ? 'this trace' : 'these traces'}: it holds none of the events that any rule needs; ` +
    'see pinscope info for what to record'
  );
}
