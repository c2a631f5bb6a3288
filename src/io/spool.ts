/**
 * What can be read only once (a pipe, a packed file), put where it can be read by place: a temporary file that has no name
 * any more, so that nothing is left behind however the program ends.
 */
import {randomBytes} from 'node:crypto';
import {constants, openSync, unlinkSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {type RandomAccess, RandomFile} from './random-access.js';
import {systemWords} from './system-error.js';
import {UserError} from './user-error.js';

/** Most bytes that are put aside: a packed file can grow a thousandfold. */
const SPOOL_MAX_BYTES = 16 * 2 ** 30;

/** Takes bytes, then gives them back by their place. */
export class Spool {
  bytes = 0;
  /** why not all was taken */
  cut: string | undefined;
  private readonly fd: number;
  /** its one owner: a descriptor must not be closed twice */
  private readonly file: RandomFile;

  /** Throws UserError where no temporary file can be made. */
  constructor(private readonly limit = SPOOL_MAX_BYTES) {
    const file = path.join(tmpdir(), `pinscope-${randomBytes(12).toString('hex')}`);
    try {
      this.fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(file);
      this.file = new RandomFile(this.fd, 0);
    } catch (error) {
      throw new UserError(`no temporary file can be made: ${systemWords(error)}`, {
        where: tmpdir(),
        next: 'a packed or piped recording is put aside there; unpack it into a file, or set TMPDIR',
        cause: error,
      });
    }
  }

  /** Takes the next bytes. False when no more are taken: `cut` says why. */
  write(chunk: Uint8Array): boolean {
    if (this.bytes + chunk.length > this.limit) {
      this.cut = `only the first ${this.bytes} bytes were put aside in ${tmpdir()}: more are not taken`;
      return false;
    }
    for (let at = 0; at < chunk.length;) {
      try {
        const written = writeSync(this.fd, chunk, at, chunk.length - at, this.bytes);
        at += written;
        this.bytes += written;
      } catch (error) {
        this.cut = `only the first ${this.bytes} bytes could be put aside in ${tmpdir()}: ${systemWords(error)}`;
        return false;
      }
    }
    return true;
  }

  /** What was taken so far. Closing it frees the space. */
  read(): RandomAccess {
    this.file.size = this.bytes;
    return this.file;
  }
}
