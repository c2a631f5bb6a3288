/**
 * Errors in words: what, where, what to do next, on one line of standard error.
 */
import {UserError, systemCode} from '../io/user-error.js';
import {ExitCode} from './exit.js';

/** What oclif throws: usage errors carry `oclif.exit`, its own exit() carries nothing to print. */
interface OclifError extends Error {
  oclif?: {exit?: number | false};
}

/** Ends the run: prints the error, if there is anything to print, and sets the exit status. */
export async function endWith(error: unknown): Promise<void> {
  // whoever read our output has gone (`| head -1`): nobody is left to tell, and it is no failure of ours
  if (systemCode(error) === 'EPIPE') return;
  const {line, status} = explain(error);
  process.exitCode = status;
  if (line !== '') process.stderr.write(`pinscope: ${line}\n`);
}

/** The line to print for an error (empty for none) and the exit status. */
export function explain(error: unknown): {line: string; status: number} {
  if (error instanceof UserError) return {line: error.line, status: ExitCode.usage};
  if (!(error instanceof Error)) return {line: String(error), status: ExitCode.usage};
  const exit = (error as OclifError).oclif?.exit;
  if (error.message.startsWith('EEXIT: ')) return {line: '', status: typeof exit === 'number' ? exit : ExitCode.clean};
  if ((error as OclifError).oclif !== undefined) return {line: usageLine(error.message), status: ExitCode.usage};
  // a fault of pinscope itself: the stack is what a bug report needs
  return {line: `internal error: ${error.stack ?? error.message}`, status: ExitCode.usage};
}

/** oclif's usage errors span several lines: one is enough. */
function usageLine(message: string): string {
  const lines = message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'See more help with --help');
  return `${lines.join(' ')}; see pinscope --help`;
}
