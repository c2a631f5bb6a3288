/** Opens the traces of a command line: which files, how they are compressed, and what cannot be read at all. */
import {join} from 'node:path';
import type {ByteSource} from './byte-source.js';
import {gunzipSource} from './gzip.js';
import {type Compression, Input, inputName} from './input.js';
import {MeteredSource} from './metered-source.js';
import {openRaw} from './raw.js';
import {recordingIn} from './recording-directory.js';
import {unreadable} from './system-error.js';
import {UserError} from './user-error.js';

/** Magic bytes that begin a compressed file. */
const MAGIC: [Compression, number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** How a file is compressed, by its first bytes. */
export function compressionOf(head: Uint8Array): Compression {
  const found = MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte));
  return found?.[0] ?? 'none';
}

async function decompressed(compression: Compression, raw: ByteSource): Promise<ByteSource> {
  switch (compression) {
    case 'none':
      return raw;
    case 'gzip':
      return gunzipSource(raw);
    case 'zstd':
      return (await import('./zstd.js')).zstdSource(raw);
    case 'xz':
      return (await import('./xz.js')).xzSource(raw);
  }
}

/**
 * Opens a path or `-`. Throws UserError when it cannot be opened, cannot be read at all, or is empty; what goes wrong
 * after the first bytes ends up in `cut`. `stop` ends the waiting for a pipe that gives nothing.
 */
export async function openInput(given: string, stop?: AbortSignal): Promise<Input> {
  const directory = recordingIn(given);
  const path = directory === undefined ? given : join(given, 'data');
  const raw = openRaw(path, stop);
  const metered = new MeteredSource(raw);
  try {
    const head = await metered.head(6);
    if (head.length === 0) throw nothingIn(path, raw.cut);
    const compression = compressionOf(head);
    const input = new Input(path, compression, metered, await decompressed(compression, metered));
    input.directory = directory;
    if ((await input.peek(1)).length === 0) throw nothingIn(path, input.cut ?? `the ${compression} data hold nothing`);
    return input;
  } catch (error) {
    metered.close();
    throw error instanceof UserError ? error : unreadable(inputName(path), error);
  }
}

/** Of an input without a byte, or with none that could be unpacked. */
export function nothingIn(path: string, cut?: string): UserError {
  const where = inputName(path);
  if (cut !== undefined) return new UserError(`nothing could be read: ${cut}`, {where});
  const next =
    path === '-'
      ? 'check that the command before the pipe printed a trace'
      : 'check how it was recorded: reading trace_pipe or clearing the buffer leaves an empty trace behind';
  return new UserError('is empty', {where, next});
}

/**
 * Opens all traces of a command line: the paths given, or standard input when there is none and it is no terminal.
 * The same file twice (under any name) is an error: its events would count double.
 */
export async function openInputs(paths: readonly string[], stop?: AbortSignal): Promise<Input[]> {
  const wanted = paths.length > 0 ? paths : ['-'];
  if (paths.length === 0 && process.stdin.isTTY) {
    throw new UserError('no trace given', {next: 'name a file, or pipe one in: pinscope analyze TRACE'});
  }
  if (wanted.filter((path) => path === '-').length > 1) throw twice('-', '-');
  const inputs: Input[] = [];
  const seen = new Map<string, string>();
  try {
    for (const path of wanted) {
      const input = await openInput(path, stop);
      inputs.push(input);
      if (input.identity === null) continue;
      const earlier = seen.get(input.identity);
      if (earlier !== undefined) throw twice(earlier, path);
      seen.set(input.identity, path);
    }
  } catch (error) {
    for (const input of inputs) input.close();
    throw error;
  }
  return inputs;
}

function twice(a: string, b: string): UserError {
  const what = a === b ? 'is given twice' : `is the same file as ${inputName(a)}`;
  return new UserError(what, {where: inputName(b), next: 'give each trace once'});
}
