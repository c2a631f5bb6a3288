/** Lines of a plain file read once more, by their place, after the file has been read through. */
import {closeSync, fstatSync, openSync, readSync} from 'node:fs';

/** In place of a line whose file is no longer what it was. */
const CHANGED = '(the file has changed since it was read)';
const LF = 10;
const CR = 13;
/** Lines of evidence lie together: what is read for one is kept for the next. */
const BLOCK_BYTES = 1 << 16;
const BLOCKS_MAX = 32;

export class Reread {
  private fd = -1;
  private failed = false;
  private buffer = Buffer.alloc(4096);
  /** by number of the block: what was there when it was read */
  private readonly blocks = new Map<number, Buffer>();

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
    let bytes: Buffer;
    try {
      bytes = this.bytes(offset - before, length + before + 1);
    } catch {
      return CHANGED;
    }
    const end = before + length;
    if (bytes.length < end || (before > 0 && bytes[0] !== LF)) return CHANGED;
    if (!cut && bytes.length > end && bytes[end] !== LF && bytes[end] !== CR) return CHANGED;
    return bytes.toString('utf8', before, end);
  }

  /** `length` bytes at `offset`, or as many as there are. Valid until the next call. */
  private bytes(offset: number, length: number): Buffer {
    const number = Math.floor(offset / BLOCK_BYTES);
    const within = offset - number * BLOCK_BYTES;
    if (within + length <= BLOCK_BYTES) return this.block(number).subarray(within, within + length);
    if (length > this.buffer.length) this.buffer = Buffer.alloc(length);
    return this.buffer.subarray(0, readSync(this.fd, this.buffer, 0, length, offset));
  }

  private block(number: number): Buffer {
    const {blocks} = this;
    let block = blocks.get(number);
    if (block) return block;
    if (blocks.size >= BLOCKS_MAX) {
      const [oldest] = blocks.keys();
      blocks.delete(oldest!);
    }
    block = Buffer.alloc(BLOCK_BYTES);
    block = block.subarray(0, readSync(this.fd, block, 0, BLOCK_BYTES, number * BLOCK_BYTES));
    // the last block of a file may yet get longer
    if (block.length === BLOCK_BYTES) blocks.set(number, block);
    return block;
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
    this.blocks.clear();
  }
}
