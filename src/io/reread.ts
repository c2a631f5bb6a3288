/** Lines of a plain file read once more, by their place, after the file has been read through. */
import {closeSync, fstatSync, openSync, readSync} from 'node:fs';
import {Blocks} from './blocks.js';

/** In place of a line whose file is no longer what it was. */
const CHANGED = '(the file has changed since it was read)';
const LF = 10;
const CR = 13;

export class Reread {
  private fd = -1;
  private failed = false;
  /** lines of evidence lie together */
  private blocks = this.newBlocks();

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
    let bytes: Uint8Array;
    try {
      bytes = this.blocks.bytes(offset - before, length + before + 1);
    } catch {
      return CHANGED;
    }
    const end = before + length;
    if (bytes.length < end || (before > 0 && bytes[0] !== LF)) return CHANGED;
    if (!cut && bytes.length > end && bytes[end] !== LF && bytes[end] !== CR) return CHANGED;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', before, end);
  }

  private newBlocks(): Blocks {
    return new Blocks({read: (offset, length, into, at) => readSync(this.fd, into, at, length, offset)});
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
    this.blocks = this.newBlocks();
  }
}
