/**
 * Bytes as they are on disk or in a pipe, before any decompression.
 *
 * A plain file is read with readSync into one reused buffer, the quickest way there is; between two reads the event
 * loop gets its turn often enough for signals and progress. All that can wait (pipes, terminals, FIFOs, tracefs files,
 * whose size reads as 0) is opened non-blocking: a read that waits on Node's threads could not be given up, and would
 * keep the process from ending.
 */
import type {Stats} from 'node:fs';
import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs';
import {Socket} from 'node:net';
import type {Readable} from 'node:stream';
import {setImmediate as nextTurn, setTimeout as pause} from 'node:timers/promises';
import {CHUNK_BYTES} from './byte-source.js';
import type {ByteSource} from './byte-source.js';
import {systemWords, unreadable} from './system-error.js';
import {UserError, systemCode} from './user-error.js';

/** Longest time in ms that synchronous reading keeps the event loop from signals and timers. */
const TURN_MS = 50;

export interface RawSource extends ByteSource {
  /** Bytes handed out so far. */
  readonly bytes: number;
  /** Bytes there are, as far as the file system knows; null for pipes and the like. */
  readonly size: number | null;
  /** `dev:ino` of a plain file; null for anything else. */
  readonly identity: string | null;
  /** Counts a chunk as handed out that nobody needs; answers its bytes: 0 at the end. Only files can. */
  pass?(): number;
}

/**
 * Opens a path, or `-` for standard input. Throws UserError for what cannot be opened, and for directories. `stop` ends
 * the waiting for a pipe that gives nothing.
 */
export function openRaw(path: string, stop?: AbortSignal): RawSource {
  const name = path === '-' ? 'standard input' : path;
  let fd = 0;
  let stat: Stats;
  try {
    if (path !== '-') fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    stat = fstatSync(fd);
  } catch (error) {
    throw unreadable(name, error);
  }
  if (stat.isDirectory()) {
    if (path !== '-') closeSync(fd);
    throw new UserError('is a directory', {where: name, next: 'name the trace files in it'});
  }
  if (stat.isFile() && stat.size > 0) return new FileSource(fd, stat, path === '-');
  if (path === '-') return stat.isFile() ? new WaitingSource(reopened(), stop) : new StreamSource(process.stdin, stop);
  if (stat.isFIFO() || stat.isSocket()) {
    return new StreamSource(new Socket({fd, readable: true, writable: false}), stop);
  }
  return new WaitingSource(fd, stop);
}

/** Standard input once more, non-blocking: `< trace_pipe`. */
function reopened(): number {
  try {
    return openSync('/proc/self/fd/0', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return 0;
  }
}

/** A plain file, read synchronously. */
class FileSource implements RawSource {
  bytes = 0;
  cut: string | undefined;
  readonly size: number;
  readonly identity: string;
  private readonly buffer: Uint8Array;
  private lastTurn_ms = performance.now();
  private ended = false;
  private closed = false;

  constructor(
    private readonly fd: number,
    stat: Stats,
    /** standard input: where its reading starts is unknown, and it is not ours to close */
    private readonly borrowed: boolean,
  ) {
    this.size = stat.size;
    this.buffer = new Uint8Array(borrowed ? CHUNK_BYTES : Math.min(CHUNK_BYTES, stat.size));
    this.identity = `${stat.dev}:${stat.ino}`;
  }

  async next(): Promise<Uint8Array | null> {
    if (this.ended) return null;
    if (performance.now() - this.lastTurn_ms > TURN_MS) {
      await nextTurn();
      this.lastTurn_ms = performance.now();
    }
    // what is appended while we read could keep us reading for ever: the file is read as long as it was at the start
    const wanted = this.borrowed ? CHUNK_BYTES : Math.min(CHUNK_BYTES, this.size - this.bytes);
    let got = 0;
    try {
      got = wanted === 0 ? 0 : readSync(this.fd, this.buffer, 0, wanted, null);
    } catch (error) {
      return this.end(`read error after ${this.bytes} bytes: ${systemWords(error)}`);
    }
    if (got === 0) return this.end(this.borrowed ? undefined : this.changed());
    this.bytes += got;
    return got === this.buffer.length ? this.buffer : this.buffer.subarray(0, got);
  }

  pass(): number {
    if (this.ended || this.borrowed) return 0;
    const bytes = Math.min(CHUNK_BYTES, this.size - this.bytes);
    this.bytes += bytes;
    return bytes;
  }

  private changed(): string | undefined {
    if (this.bytes < this.size) return `the file shrank from ${this.size} to ${this.bytes} bytes while it was read`;
    const now = fstatSync(this.fd).size;
    if (now > this.size) return `the file grew from ${this.size} to ${now} bytes while it was read; the rest is unread`;
    return undefined;
  }

  private end(cut: string | undefined): null {
    this.ended = true;
    this.cut = cut;
    return null;
  }

  close(): void {
    if (this.closed || this.borrowed) return;
    this.closed = true;
    closeSync(this.fd);
  }
}

/** Time in ms between two looks at a file that has nothing to give yet. */
const PAUSE_MS = 25;

/** A file of unknown length, whose reads may have to wait: tracefs and procfs files, devices. */
class WaitingSource implements RawSource {
  bytes = 0;
  cut: string | undefined;
  readonly size = null;
  readonly identity = null;
  private readonly buffer = new Uint8Array(CHUNK_BYTES);
  private ended = false;
  private closed = false;

  constructor(
    private readonly fd: number,
    private readonly stop: AbortSignal | undefined,
  ) {}

  async next(): Promise<Uint8Array | null> {
    // the event loop's turn: such files may be endless
    await nextTurn();
    while (!this.ended && !this.closed) {
      if (this.stop?.aborted === true) {
        this.cut = stopped(this.stop);
        break;
      }
      try {
        const got = readSync(this.fd, this.buffer, 0, CHUNK_BYTES, null);
        this.bytes += got;
        if (got > 0) return this.buffer.subarray(0, got);
        this.ended = true;
      } catch (error) {
        if (systemCode(error) === 'EAGAIN') {
          await pause(PAUSE_MS);
          continue;
        }
        this.cut = `read error after ${this.bytes} bytes: ${systemWords(error)}`;
        this.ended = true;
      }
    }
    this.ended = true;
    return null;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.fd !== 0) closeSync(this.fd);
  }
}

/** How it begins to say why a source ended that was told to. */
export const STOPPED = 'reading was stopped';

function stopped(stop: AbortSignal): string {
  return `${STOPPED} (${String(stop.reason)})`;
}

/** A pipe, a FIFO, a socket or a terminal. */
class StreamSource implements RawSource {
  bytes = 0;
  cut: string | undefined;
  readonly size = null;
  readonly identity = null;
  private readonly chunks: AsyncIterator<Uint8Array>;

  constructor(
    private readonly stream: Readable,
    private readonly stop: AbortSignal | undefined,
  ) {
    this.chunks = stream.iterator({destroyOnReturn: false}) as AsyncIterator<Uint8Array>;
    stop?.addEventListener('abort', this.onStop, {once: true});
  }

  /** Wakes a next() that waits. */
  private readonly onStop = (): void => {
    this.stream.destroy();
  };

  async next(): Promise<Uint8Array | null> {
    if (this.cut !== undefined) return null;
    try {
      const step = await this.chunks.next();
      if (step.done !== true) {
        this.bytes += step.value.length;
        return step.value;
      }
      if (this.stop?.aborted === true) this.cut = stopped(this.stop);
    } catch (error) {
      this.cut =
        this.stop?.aborted === true
          ? stopped(this.stop)
          : `read error after ${this.bytes} bytes: ${systemWords(error)}`;
    }
    return null;
  }

  close(): void {
    this.stop?.removeEventListener('abort', this.onStop);
    this.stream.destroy();
  }
}
