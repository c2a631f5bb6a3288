/**
 * A trace as an input: opened, decompressed, counted and hashed, with a look at its head before it is read.
 */
import {createHash} from 'node:crypto';
import {existsSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {Hash} from 'node:crypto';
import type {ByteSource} from './byte-source.js';
import {RandomFile, type RandomAccess} from './random-access.js';
import {openRaw} from './raw.js';
import type {RawSource} from './raw.js';
import {Reread} from './reread.js';
import {Spool} from './spool.js';
import {unreadable} from './system-error.js';
import {UserError} from './user-error.js';
import {gunzipSource} from './gzip.js';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';

/** Most that peek() keeps: enough to tell any form, whatever comes before the first event (the viewer of a systrace page). */
export const PEEK_LIMIT_BYTES = 8 << 20;

/** Magic bytes that begin a compressed file. */
const MAGIC: [Compression, number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** Counts and hashes what passes; gives back what was taken to look at the magic. */
class MeteredSource implements ByteSource {
  /** undefined when nobody wants the digest: it costs a second for each GB or two */
  hash: Hash | undefined = createHash('sha256');
  private held: Uint8Array | null = null;

  constructor(readonly raw: RawSource) {}

  get cut(): string | undefined {
    return this.raw.cut;
  }

  /** At least `count` first bytes, fewer if there are no more. Only before the first next(). */
  async head(count: number): Promise<Uint8Array> {
    while ((this.held?.length ?? 0) < count) {
      const chunk = await this.pull();
      if (chunk === null) break;
      if (this.held === null && chunk.length >= count) {
        this.held = chunk; // the common case: next() hands out this very chunk, before the buffer is written again
      } else {
        this.held = Buffer.concat([this.held ?? new Uint8Array(0), chunk]);
      }
    }
    return this.held ?? new Uint8Array(0);
  }

  async next(): Promise<Uint8Array | null> {
    const held = this.held;
    this.held = null;
    return held ?? this.pull();
  }

  /** Passes over a chunk that is not to be hashed; answers its bytes, 0 where that cannot be. */
  pass(): number {
    return this.hash === undefined && this.held === null ? (this.raw.pass?.() ?? 0) : 0;
  }

  private async pull(): Promise<Uint8Array | null> {
    const chunk = await this.raw.next();
    if (chunk !== null) this.hash?.update(chunk);
    return chunk;
  }

  close(): void {
    this.raw.close();
  }
}

/**
 * An opened trace. Use: peek() as often as needed, then next() until it gives null, then close().
 */
export class Input {
  /** Bytes handed out by next() so far, after decompression. */
  bytesOut = 0;
  private head: Uint8Array | null = null;
  private headEnded = false;
  /** asked for but not yet there when peek() lost its patience */
  private pending: Promise<Uint8Array | null> | null = null;
  private ended = false;
  private digest: string | undefined;

  constructor(
    /** as typed; `-` for standard input */
    readonly path: string,
    readonly compression: Compression,
    private readonly metered: MeteredSource,
    private readonly plain: ByteSource,
  ) {}

  /** `standard input`, or the path: for messages. */
  get name(): string {
    return inputName(this.path);
  }

  /** Bytes as read from disk or pipe so far. */
  get bytesRead(): number {
    return this.metered.raw.bytes;
  }

  /** Bytes on disk; null for pipes and the like. */
  get size(): number | null {
    return this.metered.raw.size;
  }

  /** `dev:ino` of a plain file, null otherwise. */
  get identity(): string | null {
    return this.metered.raw.identity;
  }

  /** Reads lines of it again by their place in what next() gave; undefined for what can be read only once. */
  reread(): Reread | undefined {
    const {identity} = this;
    return identity !== null && this.compression === 'none' && this.path !== '-'
      ? new Reread(this.path, identity)
      : undefined;
  }

  /** of a recording that is a directory (perf record --threads, --kcore): where its other files are */
  directory: string | undefined;
  /** bytes that were put aside to be read by place; 0 where the file itself is */
  spooled = 0;
  private spoolCut: string | undefined;

  /**
   * The bytes after decompression by their place: those of the file where it is a plain one, else a copy put aside. The
   * caller closes it. Throws UserError where neither can be had.
   */
  async random(): Promise<RandomAccess & {beside?: Beside}> {
    const {identity, directory} = this;
    if (identity !== null && this.compression === 'none' && this.path !== '-') {
      try {
        const file: RandomFile & {beside?: Beside} = RandomFile.open(this.path);
        if (directory !== undefined) file.beside = besideIn(directory);
        return file;
      } catch (error) {
        throw unreadable(this.name, error);
      }
    }
    const spool = new Spool();
    for (;;) {
      const chunk = await this.next();
      if (chunk === null || !spool.write(chunk)) break;
    }
    this.spooled = spool.bytes;
    this.spoolCut = spool.cut;
    return spool.read();
  }

  /** Why the input ended before it should have: cut or damaged compression, a read error, a file that changed. */
  get cut(): string | undefined {
    return this.spoolCut ?? (this.ended || this.headEnded ? this.plain.cut : undefined);
  }

  /** What to do about that. */
  get cutAdvice(): string {
    return this.spoolCut === undefined
      ? 'copy it again'
      : 'make room there, set TMPDIR to where there is, or unpack it into a file';
  }

  /** Hex SHA-256 of the bytes as read so far: of the whole input once next() has given null; undefined when forgone. */
  get sha256(): string | undefined {
    const {hash} = this.metered;
    if (!this.ended) return hash?.copy().digest('hex');
    this.digest ??= hash?.digest('hex');
    return this.digest;
  }

  /** Nobody wants the digest: what is read from now on is not hashed. */
  forgoDigest(): void {
    this.metered.hash = undefined;
  }

  /**
   * The first `count` bytes after decompression (at most PEEK_LIMIT_BYTES; fewer if there are no more), without taking
   * them from what next() gives. Only before the first next(); valid until then. With `patience_ms`, what is there when
   * nothing more came for so long: for a live pipe, which may be slow to fill `count`.
   */
  async peek(count: number, patience_ms?: number): Promise<Uint8Array> {
    const wanted = Math.min(count, PEEK_LIMIT_BYTES);
    while ((this.head?.length ?? 0) < wanted && !this.headEnded) {
      this.pending ??= this.plain.next();
      if (patience_ms !== undefined && this.head !== null && !(await comesWithin(this.pending, patience_ms))) break;
      const chunk = await this.pull();
      if (chunk === null) this.headEnded = true;
      else this.head = Buffer.concat([this.head ?? new Uint8Array(0), chunk]);
    }
    return (this.head ?? new Uint8Array(0)).subarray(0, wanted);
  }

  /**
   * Counts the next bytes as handed out: they are read by place. They are not read here unless somebody wants the digest. False at
   * the end.
   */
  async pass(): Promise<boolean> {
    const plain = this.compression === 'none' && this.head === null && this.pending === null && !this.headEnded;
    const bytes = plain ? this.metered.pass() : 0;
    this.bytesOut += bytes;
    return bytes > 0 || (await this.next()) !== null;
  }

  /** The next bytes after decompression, or null at the end. A chunk is valid only until the next call. */
  async next(): Promise<Uint8Array | null> {
    const chunk = this.head ?? (this.headEnded ? null : await this.pull());
    this.head = null;
    if (chunk === null) await this.drain();
    else this.bytesOut += chunk.length;
    return chunk;
  }

  private async pull(): Promise<Uint8Array | null> {
    const {pending} = this;
    this.pending = null;
    return pending ?? this.plain.next();
  }

  /** What a decompressor left unread still belongs to the input's hash. */
  private async drain(): Promise<void> {
    if (this.ended) return;
    while ((await this.metered.next()) !== null);
    this.ended = true;
  }

  close(): void {
    this.plain.close();
  }
}

/** Whether `promise` is settled before `patience_ms` have passed. */
async function comesWithin(promise: Promise<unknown>, patience_ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), patience_ms);
  });
  const came = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return came;
}

/** `-` in words. */
export function inputName(path: string): string {
  return path === '-' ? 'standard input' : path;
}

function compressionOf(head: Uint8Array): Compression {
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

/** Files beside the one that is read, by their names in the directory. */
export interface Beside {
  readonly names: readonly string[];
  open(name: string): RandomAccess;
}

/** The path, where it is a directory that perf record made: the recording is its file `data`. */
function recordingIn(path: string): string | undefined {
  if (path === '-') return undefined;
  const stat = statSync(path, {throwIfNoEntry: false});
  return stat?.isDirectory() === true && existsSync(join(path, 'data')) ? path : undefined;
}

function besideIn(directory: string): Beside {
  const names = readdirSync(directory).toSorted((a, b) => a.localeCompare(b, 'en', {numeric: true}));
  const kallsyms = 'kcore_dir/kallsyms';
  if (existsSync(join(directory, kallsyms))) names.push(kallsyms);
  return {names, open: (name) => RandomFile.open(join(directory, name))};
}

function nothingIn(path: string, cut: string | undefined): UserError {
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
