/**
 * What every command that writes a result shares: the output opened before the work, Ctrl-C, progress, and an output
 * that appears whole or not at all.
 */
import type {Stats} from 'node:fs';
import {realpath, stat} from 'node:fs/promises';
import path from 'node:path';
import type {Input} from '../io/input.js';
import {openOutput, type Output, unwritable} from '../io/output.js';
import {UserError} from '../io/user-error.js';
import {readingRemarks} from '../words/remarks.js';
import type {Renderer, RenderOptions} from '../report/render.js';
import {codeAfter, type ExitCode} from './exit.js';
import type {AnyForm} from './flags.js';
import type {OutputOptions} from './options.js';
import {watchInterrupts} from './interrupt.js';
import {type Progress, showProgress} from './progress.js';

/** What the work is given. */
export interface Run {
  /** aborted by the first Ctrl-C: stop, and answer with what there is */
  readonly signal: AbortSignal;
  /** shows progress of these inputs from now on */
  onOpen(this: void, inputs: readonly Input[]): void;
}

/** What the work gives back. */
export interface Done<T> {
  result: T;
  code: ExitCode;
  /** what the form shows of it, beyond the flags that all commands share */
  shown?: Pick<RenderOptions, 'by' | 'chosen'>;
  /** a line for standard error, once the result is written */
  remark?: string | undefined;
}

/** What a run reads, as far as its flags name it. */
interface Reads {
  traces?: readonly string[];
  suppress?: string | undefined;
  kallsyms?: string | undefined;
}

/**
 * Opens the output. One that is an input, or a file of a folder that is read, would be gone before it was kept anywhere:
 * told before anything is opened.
 */
export async function outputFor(options: Pick<OutputOptions, 'output'> & Reads): Promise<Output> {
  await refuseOverwriting(options);
  return openOutput(options.output);
}

async function refuseOverwriting({
  output,
  traces = [],
  suppress,
  kallsyms,
}: Pick<OutputOptions, 'output'> & Reads): Promise<void> {
  if (output === undefined) return;
  const there = await stat(output).catch(() => undefined);
  if (there?.isFile() !== true) return;
  const read: [string, Promise<Stats | undefined>][] = traces.map((trace) => [
    trace === '-' ? 'standard input' : trace,
    stat(trace === '-' ? '/dev/stdin' : trace).catch(() => undefined),
  ]);
  if (traces.length === 0) read.push(['standard input', stat('/dev/stdin').catch(() => undefined)]);
  for (const file of [suppress, kallsyms]) if (file !== undefined) read.push([file, stat(file).catch(() => undefined)]);
  for (const [name, promise] of read) {
    const input = await promise;
    if (input?.isDirectory() === true && (await isWithin(output, name)))
      throw new UserError(`is a file of ${name}, which is read`, {where: output, next: 'choose another name for -o'});
    if (input?.dev === there.dev && input.ino === there.ino) {
      const what = name === output ? 'is itself read' : `is ${name}, which is read`;
      throw new UserError(what, {where: output, next: 'choose another name for -o'});
    }
  }
}

async function isWithin(file: string, folder: string): Promise<boolean> {
  const inside = path.relative(await realpath(folder), await realpath(file));
  return !inside.startsWith('..') && !path.isAbsolute(inside);
}

/** Does the work, writes its result through `render`, and answers with the exit status. Throws UserError. */
export async function produce<T>(
  options: OutputOptions<AnyForm> & Reads & {limit?: number | undefined},
  render: Renderer<T>,
  work: (run: Run) => Promise<Done<T>>,
): Promise<ExitCode> {
  // Opened first: an output that cannot be written is told before the work.
  const output = await outputFor(options);
  const interruption = watchInterrupts();
  let progress: Progress | undefined;
  const onOpen = (inputs: readonly Input[]): void => {
    progress?.stop();
    progress = showProgress(inputs, options);
  };
  try {
    const {result, code, remark, shown} = await work({signal: interruption.signal, onOpen});
    progress?.stop();
    if (options.verbose && isRead(result)) tellReading(result);
    const {color, width, whole, limit} = options;
    const rendering = {color, width, whole, ...(limit === undefined ? {} : {limit}), ...shown};
    for (const piece of gathered(render(result, rendering))) {
      if (output.closed) break;
      await output.write(piece);
    }
    await output.commit();
    if (remark !== undefined && !options.quiet) process.stderr.write(`pinscope: ${remark}\n`);
    return codeAfter(interruption.signal, code);
  } catch (error) {
    progress?.stop();
    await output.abort();
    throw error instanceof UserError ? error : unwritableOr(error, options.output);
  } finally {
    interruption.release();
  }
}

/** Length of text that is written at once. */
const PIECE_LENGTH = 64 << 10;

/** Small pieces together: a finding a write, thousands of findings would cost more to write than to tell. */
function* gathered(pieces: Iterable<string>): Iterable<string> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE_LENGTH) continue;
    yield text;
    text = '';
  }
  yield text;
}

type Read = Parameters<typeof readingRemarks>[0];

function isRead(result: unknown): result is Read {
  return result !== null && typeof result === 'object' && 'inputs' in result && 'kernel' in result;
}

/** What --verbose says of an input, on standard error. */
export function tellReading(read: Read): void {
  for (const line of readingRemarks(read)) process.stderr.write(`pinscope: ${line}\n`);
}

function unwritableOr(error: unknown, file: string | undefined): unknown {
  return error !== null && typeof error === 'object' && 'syscall' in error && error.syscall === 'write'
    ? unwritable(file ?? 'standard output', error)
    : error;
}
