/** `pinscope analyze`: options in, report out, exit status back. */
import {readFile} from 'node:fs/promises';
import {analyze} from '../analyze/report.js';
import {selector} from '../analyze/select.js';
import {openOutput, unwritable} from '../io/output.js';
import {UserError} from '../io/user-error.js';
import {REPORT_RENDERERS} from '../report/index.js';
import {RULES} from '../rules/registry.js';
import {Suppressions} from '../rules/suppress.js';
import type {TraceOptions} from './base.js';
import {type ExitCode, exitCodeOf} from './exit.js';
import {watchInterrupts} from './interrupt.js';
import {type Progress, showProgress} from './progress.js';
import {nearest} from './values.js';

export async function runAnalyze(options: TraceOptions, version: string): Promise<ExitCode> {
  checkRules(options.rules);
  const suppressions = options.suppress === undefined ? undefined : await readSuppressions(options.suppress);
  // Opened first: an output that cannot be written is told before the work.
  const output = await openOutput(options.output);
  const interruption = watchInterrupts();
  let progress: Progress | undefined;
  try {
    const report = await analyze({
      ...options,
      suppressions,
      selected: selector(options),
      version,
      signal: interruption.signal,
      onOpen: (inputs) => (progress = showProgress(inputs, options)),
    });
    progress?.stop();
    const render = REPORT_RENDERERS[options.to];
    const width = process.stdout.columns ?? 80;
    const rendering = {color: options.color, width, ...(options.limit === undefined ? {} : {limit: options.limit})};
    for (const piece of render(report, rendering)) {
      if (output.closed) break;
      await output.write(piece);
    }
    await output.commit();
    const code = exitCodeOf(report, options);
    if (code === 2) sayNothingJudged(report.inputs.length);
    return code;
  } catch (error) {
    progress?.stop();
    await output.abort();
    throw error instanceof UserError ? error : unwritableOr(error, options.output);
  } finally {
    interruption.release();
  }
}

function unwritableOr(error: unknown, file: string | undefined): unknown {
  return error !== null && typeof error === 'object' && 'syscall' in error && error.syscall === 'write'
    ? unwritable(file ?? 'standard output', error)
    : error;
}

function sayNothingJudged(inputs: number): void {
  process.stderr.write(
    `pinscope: no rule could judge ${inputs === 1 ? 'this trace' : 'these traces'}: it holds none of the events that any rule needs; ` +
      'see pinscope info for what to record\n',
  );
}

function checkRules(rules: readonly string[]): void {
  const known = RULES.map((r) => r.meta.id as string);
  for (const rule of rules) {
    if (known.includes(rule)) continue;
    const meant = nearest(rule, known);
    throw new UserError(`there is no rule '${rule}'`, {
      where: '--rule',
      next: meant ? `did you mean ${meant}? (see pinscope rules)` : 'see pinscope rules',
    });
  }
}

async function readSuppressions(file: string): Promise<Suppressions> {
  try {
    return Suppressions.parse(await readFile(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('cannot be read', {where: file, next: 'give the path of a suppression file', cause: error});
  }
}
