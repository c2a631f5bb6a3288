/** `pinscope analyze`: options in, report out, exit status back. */
import {analyze} from '../analyze/report.js';
import {selector} from '../analyze/select.js';
import {REPORT_RENDERERS} from '../report/index.js';
import type {TraceOptions} from './base.js';
import {type ExitCode, exitCodeOf} from './exit.js';
import {judging} from './judging.js';
import {produce} from './run.js';

export async function runAnalyze(options: TraceOptions, version: string): Promise<ExitCode> {
  const judged = await judging(options, version);
  return produce(options, REPORT_RENDERERS[options.to], async (run) => {
    const report = await analyze({...judged, selected: selector(options), ...run});
    const code = exitCodeOf(report, options);
    return {result: report, code, remark: code === 2 ? nothingJudged(report.inputs.length) : undefined};
  });
}

function nothingJudged(inputs: number): string {
  return (
    `no rule could judge ${inputs === 1 ? 'this trace' : 'these traces'}: it holds none of the events that any rule needs; ` +
    'see pinscope info for what to record'
  );
}
