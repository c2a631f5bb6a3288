/**
 * Where results go: standard output, or a file that appears whole or not at all.
 */
import {randomBytes} from 'node:crypto';
import {constants, unlinkSync} from 'node:fs';
import {lstat, open, realpath, rename, stat, unlink} from 'node:fs/promises';
import type {FileHandle} from 'node:fs/promises';
import path from 'node:path';
import type {Writable} from 'node:stream';
import {unwritable} from './system-error.js';
import {UserError, systemCode} from './user-error.js';

export {unwritable};

export interface Output {
  /** Writes all of it, waiting while a reader is slow. Throws UserError when the disk is full and the like. */
  write(data: string | Uint8Array): Promise<void>;
  /** The reader has gone (`| head -1`): nothing more needs writing, and write() does nothing. */
  readonly closed: boolean;
  /** All is written: a file takes its name now. */
  commit(): Promise<void>;
  /** Gives up: a file leaves nothing behind. Does nothing after commit(). */
  abort(): Promise<void>;
}

/** Opens `file`, or standard output for undefined. Throws UserError. */
export async function openOutput(file: string | undefined): Promise<Output> {
  if (file === undefined || STDOUT_NAMES.has(file)) return new StreamOutput(process.stdout, 'standard output');
  if (STDERR_NAMES.has(file)) return new StreamOutput(process.stderr, 'standard error');
  try {
    const there = await stat(file).catch(() => undefined);
    if (there?.isDirectory() === true) throw new UserError('is a directory', {where: file, next: 'name a file in it'});
    // FIFOs and devices are written as they are: renaming a file over them would replace them
    if (there !== undefined && !there.isFile()) return new DirectOutput(file, await open(file, 'w'));
    return await openTemporary(file, there?.mode);
  } catch (error) {
    throw unwritable(file, error);
  }
}

const STDOUT_NAMES = new Set(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']);
const STDERR_NAMES = new Set(['/dev/stderr', '/dev/fd/2', '/proc/self/fd/2']);

/** Standard output and standard error. */
class StreamOutput implements Output {
  closed = false;
  private failure: UserError | undefined;

  constructor(
    private readonly stream: Writable,
    private readonly name: string,
  ) {
    stream.on('error', this.onError);
  }

  private readonly onError = (error: Error): void => {
    if (systemCode(error) === 'EPIPE') this.closed = true;
    else this.failure ??= unwritable(this.name, error, true);
  };

  async write(data: string | Uint8Array): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.closed || data.length === 0) return;
    await new Promise<void>((done) => this.stream.write(data, () => done()));
    // the 'error' event follows the callback
    await new Promise<void>((done) => setImmediate(done));
    if (this.failure !== undefined) throw this.failure;
  }

  async commit(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
  }

  async abort(): Promise<void> {
    // what a reader has got cannot be taken back
  }
}

/** A FIFO or a device. */
class DirectOutput implements Output {
  closed = false;

  constructor(
    private readonly name: string,
    private readonly file: FileHandle,
  ) {}

  async write(data: string | Uint8Array): Promise<void> {
    if (this.closed) return;
    try {
      await writeAll(this.file, data);
    } catch (error) {
      if (systemCode(error) !== 'EPIPE') throw unwritable(this.name, error, true);
      this.closed = true;
    }
  }

  async commit(): Promise<void> {
    await this.file.close();
  }

  async abort(): Promise<void> {
    await this.file.close().catch(() => undefined);
  }
}

/** Half-written files, to be removed if the process ends before its time. */
export const unfinished = new Set<string>();

/** Removes every half-written file, at once: for the way out of a killed process. */
export function removeUnfinished(): void {
  for (const file of unfinished) {
    try {
      unlinkSync(file);
    } catch {
      // it is gone, which is what was wanted
    }
  }
  unfinished.clear();
}

process.on('exit', removeUnfinished);

async function openTemporary(file: string, mode: number | undefined): Promise<Output> {
  // a symbolic link stays one: what it points to is replaced
  const linked = await lstat(file).then(
    (s) => s.isSymbolicLink(),
    () => false,
  );
  const target = linked ? await realpath(file) : file;
  const temporary = path.join(
    path.dirname(target),
    `.${path.basename(target).slice(0, 200)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`,
  );
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(temporary, flags, mode === undefined ? 0o666 : mode & 0o777);
  unfinished.add(temporary);
  return new FileOutput(file, target, temporary, handle);
}

/** A plain file: written beside its place, then renamed. */
class FileOutput implements Output {
  readonly closed = false;
  private open = true;

  constructor(
    private readonly name: string,
    private readonly target: string,
    private readonly temporary: string,
    private readonly file: FileHandle,
  ) {}

  async write(data: string | Uint8Array): Promise<void> {
    try {
      await writeAll(this.file, data);
    } catch (error) {
      await this.abort();
      throw unwritable(this.name, error);
    }
  }

  async commit(): Promise<void> {
    if (!this.open) return;
    try {
      // some file systems say that they are full only now
      await this.file.sync();
      await this.file.close();
      this.open = false;
      await rename(this.temporary, this.target);
      unfinished.delete(this.temporary);
    } catch (error) {
      await this.abort();
      throw unwritable(this.name, error);
    }
  }

  async abort(): Promise<void> {
    if (this.open) await this.file.close().catch(() => undefined);
    this.open = false;
    if (!unfinished.delete(this.temporary)) return;
    await unlink(this.temporary).catch(() => undefined);
  }
}

async function writeAll(file: FileHandle, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}
