/** Small parts of a file, read by place: what is read for one is kept for the next, which lies near as a rule. */
import type {RandomAccess} from './random-access.js';

const BLOCK_BYTES = 1 << 16;
const BLOCKS_MAX = 32;

export class Blocks {
  /** by number, the oldest first */
  private readonly blocks = new Map<number, Uint8Array>();
  /** for parts of more than one block */
  private longer = new Uint8Array(0);

  constructor(private readonly source: Pick<RandomAccess, 'read'>) {}

  /** `length` bytes at `offset`, or as many as there are. Not to be written to, and valid until the next call. */
  bytes(offset: number, length: number): Uint8Array {
    const number = Math.floor(offset / BLOCK_BYTES);
    const within = offset - number * BLOCK_BYTES;
    if (within + length <= BLOCK_BYTES) return this.block(number).subarray(within, within + length);
    if (length > this.longer.length) this.longer = new Uint8Array(length);
    return this.longer.subarray(0, this.source.read(offset, length, this.longer, 0));
  }

  private block(number: number): Uint8Array {
    const {blocks} = this;
    const known = blocks.get(number);
    if (known !== undefined) return known;
    // the memory of the oldest is used again: buffers that are only dropped pile up until the engine looks
    let bytes: Uint8Array | undefined;
    if (blocks.size >= BLOCKS_MAX) {
      const [oldest] = blocks.keys();
      bytes = blocks.get(oldest!);
      blocks.delete(oldest!);
    }
    bytes ??= new Uint8Array(BLOCK_BYTES);
    const length = this.source.read(number * BLOCK_BYTES, BLOCK_BYTES, bytes, 0);
    // the last block of a file may yet get longer
    if (length < BLOCK_BYTES) return bytes.subarray(0, length);
    blocks.set(number, bytes);
    return bytes;
  }
}
