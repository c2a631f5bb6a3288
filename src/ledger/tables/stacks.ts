/**
 * Call stacks, interned: a million events come from a few hundred places. A stack is known again by its bytes, so that only a
 * new one is made into strings.
 */
import {randomInt} from 'node:crypto';
import {type Kallsyms, symbolised} from '../../base/kallsyms.js';
import type {Limits} from '../../base/limits.js';
import {textOf} from './tasks.js';

/** Most distinct stacks kept, frames of one stack, and bytes of one frame. */
const STACKS_MAX = 50_000;
const FRAMES_MAX = 64;
const FRAME_BYTES_MAX = 200;
/** Most stacks of one hash that are told apart: chance gives two at most. */
const ALIKE_MAX = 16;
const LF = 10;

/** A stack that was met: its bytes, and the one before it of the same hash. */
interface Known {
  readonly bytes: Uint8Array;
  readonly index: number;
  readonly next: Known | undefined;
}

export class Stacks {
  /** puts names to frames that are bare addresses, before anybody reads them */
  kallsyms: Kallsyms | undefined;
  private readonly list: string[][] = [];
  private readonly known = new Map<number, Known>();
  /** unknown to who makes a trace, so that no hashes alike can be chosen */
  private readonly seed = randomInt(2 ** 31);
  // the stack at hand: its frames, a newline after each
  private readonly bytes = new Uint8Array(FRAMES_MAX * (FRAME_BYTES_MAX + 1));
  private length = 0;
  private frames = 0;
  private hash = 0;

  constructor(private readonly limits: Limits) {}

  begin(): void {
    this.length = this.frames = 0;
    this.hash = this.seed;
  }

  frame(buf: Uint8Array, start: number, end: number): void {
    if (this.frames >= FRAMES_MAX) return;
    this.frames++;
    const {bytes} = this;
    let {hash, length} = this;
    const stop = Math.min(end, start + FRAME_BYTES_MAX);
    for (let i = start; i < stop; i++) {
      const byte = buf[i]!;
      bytes[length++] = byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    bytes[length++] = LF;
    this.hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    this.length = length;
  }

  /** The index of the stack collected since begin(); -1 when it is empty or there are too many. */
  end(): number {
    if (this.frames === 0) return -1;
    const first = this.known.get(this.hash);
    let alike = 0;
    for (let one = first; one !== undefined; one = one.next, alike++) if (this.is(one.bytes)) return one.index;
    if (this.list.length >= STACKS_MAX || alike >= ALIKE_MAX) {
      this.limits.hit('stacks');
      return -1;
    }
    const index = this.list.length;
    this.list.push(this.texts());
    this.known.set(this.hash, {bytes: this.bytes.slice(0, this.length), index, next: first});
    return index;
  }

  /** Whether these are the bytes of the stack at hand. */
  private is(bytes: Uint8Array): boolean {
    const {length} = this;
    if (bytes.length !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[i] !== this.bytes[i]) return false;
    return true;
  }

  private texts(): string[] {
    const frames: string[] = [];
    for (let start = 0; start < this.length;) {
      const end = this.bytes.indexOf(LF, start);
      frames.push(textOf(this.bytes, start, end, FRAME_BYTES_MAX));
      start = end + 1;
    }
    return this.kallsyms === undefined ? frames : symbolised(frames, this.kallsyms);
  }

  get(index: number): string[] {
    return this.list[index] ?? [];
  }

  all(): readonly string[][] {
    return this.list;
  }
}
