/** Lines of a plain file read once more, by their place, after the file has been read through. */
import {closeSync, fstatSync, openSync, readSync} from 'node:fs';

/** In place of a line whose file is no longer what it was. */
const CHANGED = '(the file has changed since it was read)';
const LF = 10;
const CR = 13;

export class Reread {
  private fd = -1;
  private failed = false;
  private buffer = Buffer.alloc(4096);

  /** `identity` is the `dev:ino` that was read. */
  constructor(
    private readonly path: string,
    private readonly identity: string,
  ) {}

  /**
   * The line of `length` bytes at `offset`; `cut` says that the line is longer. A file that was replaced or written over
   * meanwhile is noticed by its inode, or by the newlines that should be around the line.
   */
  line(offset: number, length: number, cut: boolean): string {
    if (!this.open()) return CHANGED;
    const before = offset > 0 ? 1 : 0;
    if (length + 2 > this.buffer.length) this.buffer = Buffer.alloc(length + 2);
    const {buffer} = this;
    let got: number;
    try {
      got = readSync(this.fd, buffer, 0, length + before + 1, offset - before);
    } catch {
      return CHANGED;
    }
    const end = before + length;
    if (got < end || (before > 0 && buffer[0] !== LF)) return CHANGED;
    if (!cut && got > end && buffer[end] !== LF && buffer[end] !== CR) return CHANGED;
    return buffer.toString('utf8', before, end);
  }

  private open(): boolean {
    if (this.fd >= 0) return true;
    if (this.failed) return false;
    this.failed = true;
    try {
      this.fd = openSync(this.path, 'r');
      const {dev, ino} = fstatSync(this.fd);
      this.failed = `${dev}:${ino}` !== this.identity;
    } catch {
      return false;
    }
    if (this.failed) this.close();
    return !this.failed;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}
