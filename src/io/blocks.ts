/** Small parts of a file, read by place: what is read for one is kept for the next, which lies near as a rule. */
import type {RandomAccess} from './random-access.js';

const BLOCK_BYTES = 1 << 16;
const BLOCKS_MAX = 32;

export class Blocks {
  /** by number, the oldest first */
  private readonly blocks = new Map<number, Uint8Array>();

  constructor(private readonly source: RandomAccess) {}

  /** `length` bytes at `offset`, or as many as there are. Not to be written to. */
  bytes(offset: number, length: number): Uint8Array {
    const number = Math.floor(offset / BLOCK_BYTES);
    const within = offset - number * BLOCK_BYTES;
    if (within + length <= BLOCK_BYTES) return this.block(number).subarray(within, within + length);
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, this.source.read(offset, length, bytes, 0));
  }

  private block(number: number): Uint8Array {
    const {blocks} = this;
    let block = blocks.get(number);
    if (block) return block;
    if (blocks.size >= BLOCKS_MAX) blocks.delete(blocks.keys().next().value!);
    block = new Uint8Array(BLOCK_BYTES);
    block = block.subarray(0, this.source.read(number * BLOCK_BYTES, BLOCK_BYTES, block, 0));
    blocks.set(number, block);
    return block;
  }
}
