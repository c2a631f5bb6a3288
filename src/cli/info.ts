/** `pinscope info`: what a trace is, and what can be judged on it. */
import {info} from '../run/info.js';
import {INFO_RENDERERS, type InfoForm} from '../report/info/index.js';
import type {TraceOptions} from './base.js';
import {type ExitCode, readingCodeOf} from './exit.js';
import {produce} from './run.js';

export async function runInfo(options: TraceOptions<InfoForm>, version: string): Promise<ExitCode> {
  return produce(options, INFO_RENDERERS[options.to], async (run) => {
    const result = await info({...options, version, ...run});
    return {result, code: readingCodeOf(result, options)};
  });
}
