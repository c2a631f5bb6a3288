/** A trace as an input: its bytes after decompression, with a look at its head before it is read. */
import type {ByteSource} from './byte-source.js';
import type {MeteredSource} from './metered-source.js';
import {RandomFile, type RandomAccess} from './random-access.js';
import {type Beside, besideIn} from './recording-directory.js';
import {Reread} from './reread.js';
import {STOPPED} from './raw.js';
import {Spool} from './spool.js';
import {unreadable} from './system-error.js';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';

/** Most that peek() keeps: enough to tell any form, whatever comes before the first event (the viewer of a systrace page). */
export const PEEK_LIMIT_BYTES = 8 << 20;

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
    if (this.cut?.startsWith(STOPPED) === true) return 'let it be read to its end';
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
