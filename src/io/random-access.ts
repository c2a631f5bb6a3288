/**
 * Bytes by their place: what the record forms read. A trace.dat holds its CPUs one after the other, so that reading it in
 * order of time needs a place in each.
 */
import {closeSync, fstatSync, openSync, readSync} from 'node:fs';
import {systemWords} from './system-error.js';

export interface RandomAccess {
  /** bytes there are */
  readonly size: number;
  /** why reading stopped before the end: the file shrank, or the system said no */
  readonly failure: string | undefined;
  /**
   * Reads up to `length` bytes from `offset` on into `into`, from `at` on. Answers how many: fewer only where the bytes end,
   * or where reading failed.
   */
  read(offset: number, length: number, into: Uint8Array, at: number): number;
  close(): void;
}

/** Descriptors of files that nobody reads any more. */
const forgotten = new FinalizationRegistry<{fd: number; open: boolean}>((file) => {
  if (file.open) closeSync(file.fd);
});

/** A file by its descriptor, which is closed with it, or once nobody holds it. It is as long as it was when it was opened. */
export class RandomFile implements RandomAccess {
  failure: string | undefined;
  private readonly file: {fd: number; open: boolean};

  constructor(
    fd: number,
    public size: number,
  ) {
    this.file = {fd, open: true};
    forgotten.register(this, this.file);
  }

  /** Opens a path. Throws what the system says. */
  static open(path: string): RandomFile {
    const fd = openSync(path, 'r');
    return new RandomFile(fd, fstatSync(fd).size);
  }

  read(offset: number, length: number, into: Uint8Array, at: number): number {
    if (!(offset >= 0) || offset >= this.size || !this.file.open) return 0;
    const wanted = Math.min(length, this.size - offset, into.length - at);
    let got = 0;
    while (got < wanted) {
      let n: number;
      try {
        n = readSync(this.file.fd, into, at + got, wanted - got, offset + got);
      } catch (error) {
        this.failure ??= `read error at byte ${offset + got}: ${systemWords(error)}`;
        break;
      }
      if (n === 0) {
        this.failure ??= `the file shrank from ${this.size} to ${offset + got} bytes while it was read`;
        break;
      }
      got += n;
    }
    return got;
  }

  close(): void {
    if (this.file.open) closeSync(this.file.fd);
    this.file.open = false;
  }
}

/** Bytes in memory. */
export class RandomBytes implements RandomAccess {
  readonly failure = undefined;
  readonly size: number;

  constructor(private readonly bytes: Uint8Array) {
    this.size = bytes.length;
  }

  read(offset: number, length: number, into: Uint8Array, at: number): number {
    if (!(offset >= 0) || offset >= this.size) return 0;
    const part = this.bytes.subarray(offset, offset + Math.min(length, into.length - at));
    into.set(part, at);
    return part.length;
  }

  close(): void {}
}
