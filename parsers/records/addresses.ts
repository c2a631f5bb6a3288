/**
 * Call stacks of records, known again by the addresses of their frames: a million records come from a few hundred places, and
 * what their frames are called has to be looked up and handed over once.
 */
import {randomInt} from 'node:crypto';

/** Most frames of one stack: the kernel records at most some thousand. */
const FRAMES_MAX = 1024;
/** Most stacks that are numbered, and most of one hash that are told apart: chance gives two at most. */
const STACKS_MAX = 50_000;
const ALIKE_MAX = 16;

interface Numbered {
  readonly words: Uint32Array;
  readonly number: number;
  readonly next: Numbered | undefined;
}

export class Addresses {
  /** frames of the stack at hand */
  count = 0;
  // two words a frame, the high one first
  private readonly words = new Uint32Array(2 * FRAMES_MAX);
  private readonly known = new Map<number, Numbered>();
  private numbers = 0;
  /** unknown to who makes a recording, so that no hashes alike can be chosen */
  private readonly seed = randomInt(2 ** 31);

  clear(): void {
    this.count = 0;
  }

  /** The next frame, outwards. Beyond FRAMES_MAX none is taken in. */
  add(high: number, low: number): void {
    if (this.count >= FRAMES_MAX) return;
    const at = 2 * this.count++;
    this.words[at] = high;
    this.words[at + 1] = low;
  }

  high(frame: number): number {
    return this.words[2 * frame]!;
  }

  low(frame: number): number {
    return this.words[2 * frame + 1]!;
  }

  /** The number of the stack at hand, from 1 on; the same addresses have the same. 0 where there are too many to be numbered. */
  number(): number {
    const {words, known} = this;
    const end = 2 * this.count;
    let hash = this.seed;
    for (let i = 0; i < end; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x01000193);
      hash ^= hash >>> 15;
    }
    const first = known.get(hash);
    let alike = 0;
    for (let one = first; one !== undefined; one = one.next, alike++) if (this.is(one.words)) return one.number;
    if (this.numbers >= STACKS_MAX || alike >= ALIKE_MAX) return 0;
    known.set(hash, {words: words.slice(0, end), number: ++this.numbers, next: first});
    return this.numbers;
  }

  private is(words: Uint32Array): boolean {
    const end = 2 * this.count;
    if (words.length !== end) return false;
    for (let i = 0; i < end; i++) if (words[i] !== this.words[i]) return false;
    return true;
  }
}
