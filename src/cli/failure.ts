/**
 * Errors in words: what, where, what to do next, on one line of standard error.
 */
import {existsSync} from 'node:fs';
import {unreadable, unwritable} from '../io/system-error.js';
import {UserError, systemCode} from '../io/user-error.js';
import {ExitCode} from './exit.js';
import {nearest} from './values.js';

/** What oclif throws: usage errors carry `oclif`, those about unknown flags the flags and how they were parsed. */
interface OclifError extends Error {
  oclif?: {exit?: number | false};
  flags?: string[];
  parse?: {input?: {flags?: Record<string, unknown>}};
}

/** Ends the run: prints the error, if there is anything to print, and sets the exit status. */
export function endWith(error: unknown): void {
  // whoever read our output has gone (`| head -1`): nobody is left to tell, and it is no failure of ours
  if (systemCode(error) === 'EPIPE') return;
  const {line, status} = explain(error);
  process.exitCode = status;
  if (line !== '') process.stderr.write(`pinscope: ${line}\n`);
}

/** The line to print for an error (empty for none) and the exit status. */
export function explain(error: unknown): {line: string; status: number} {
  if (error instanceof UserError) return {line: inLines(error), status: ExitCode.usage};
  if (!(error instanceof Error)) return {line: oneLine(String(error)), status: ExitCode.usage};
  const {oclif} = error as OclifError;
  if (error.message.startsWith('EEXIT: ')) return {line: '', status: Number(oclif?.exit ?? 0)};
  if (oclif !== undefined) return {line: oneLine(usage(error)), status: ExitCode.usage};
  // help and version are printed by oclif itself
  if (systemCode(error) !== undefined && 'syscall' in error && error.syscall === 'write') {
    return explain(unwritable('standard output', error, true));
  }
  // one of our own files, or one that Node needs
  if (systemCode(error) === 'EMFILE' || systemCode(error) === 'ENFILE') {
    return explain(unreadable((error as NodeJS.ErrnoException).path ?? '', error));
  }
  // a fault of pinscope: the stack is what a bug report needs
  return {line: `internal error, please report it: ${error.stack ?? error.message}`, status: ExitCode.usage};
}

/** One line, unless the advice holds commands to type: those have lines of their own. */
function inLines(error: UserError): string {
  const [next = '', ...more] = error.next.split('\n');
  const first = new UserError(error.message, {where: error.where, next}).line;
  return [first, ...more].map(oneLine).join('\n');
}

/** Names of files and values may hold anything: control characters do not reach the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Flags of other tools, and what they are called here. */
const ELSEWHERE: Record<string, string> = {
  format: 'to',
  'output-format': 'to',
  'no-color': 'color never',
  'no-colour': 'color never',
  colour: 'color',
  page: 'pfn',
  p: 'pid',
  tid: 'pid',
  dev: 'device',
  ino: 'inode',
  top: 'limit',
  n: 'limit',
  silent: 'quiet',
  f: 'follow',
  i: 'from',
};

const COMMANDS = ['analyze', 'history', 'pins', 'info', 'rules', 'record', 'diff', 'export', 'query', 'completion'];

function meantCommand(typed: string): string {
  const near = nearest(typed, COMMANDS);
  return near === undefined ? 'pinscope --help lists the commands' : `did you mean pinscope ${near}?`;
}

/** One line for oclif's usage errors, which span several. */
function usage(error: OclifError): string {
  const command = /^[Cc]ommand (\S.*) not found\.?$/.exec(error.message)?.[1];
  if (command !== undefined) {
    return existsSync(command)
      ? `${command} is a file, not a command; to read it: pinscope analyze ${command}`
      : `unknown command ${command}; ${meantCommand(command)}`;
  }
  const [flag] = error.flags ?? [];
  if (flag !== undefined && error.message.startsWith('Nonexistent flag')) {
    const known = Object.keys(error.parse?.input?.flags ?? {});
    const name = flag.replace(/^-+/, '').replace(/=.*/s, '');
    const other = ELSEWHERE[name];
    const near = other ?? nearest(name, known);
    return `unknown flag ${flag}; ${near === undefined ? 'see --help' : `did you mean --${near}?`}`;
  }
  const needed = /All of the following must be provided when using (--\S+): (--\S+)/.exec(error.message);
  if (needed !== null) return `${needed[1]} is of ${needed[2]}; give both`;
  const lines = error.message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'See more help with --help');
  return `${lines.join(' ')}; see --help`;
}
