/** What commands that judge a trace need before they read it. */
import {readFile} from 'node:fs/promises';
import type {AnalyzeOptions} from '../run/analyze.js';
import {UserError} from '../io/user-error.js';
import {Suppressions} from '../findings/suppress.js';
import type {TraceOptions} from './base.js';
import type {AnyForm} from './flags.js';
import {readKallsyms} from './kallsyms.js';
import {ruleNamed} from './rule-names.js';

/** Flags checked and files read: all that analyze() wants but what the run itself gives. Throws UserError. */
export async function judging(
  options: TraceOptions<AnyForm>,
  version: string,
  kallsyms?: string,
): Promise<Omit<AnalyzeOptions, 'selected' | 'signal' | 'onOpen'>> {
  for (const rule of options.rules) ruleNamed(rule, '--rule');
  const suppressions = options.suppress === undefined ? undefined : await readSuppressions(options.suppress);
  const symbols = kallsyms === undefined ? undefined : await readKallsyms(kallsyms);
  return {...options, suppressions, kallsyms: symbols, version};
}

async function readSuppressions(file: string): Promise<Suppressions> {
  try {
    return Suppressions.parse(await readFile(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('cannot be read', {where: file, next: 'give the path of a suppression file', cause: error});
  }
}
