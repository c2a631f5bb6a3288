import type {Limits} from '../../base/limits.js';
import {textOf} from './tasks.js';

/** Most distinct stacks kept, frames of one stack, and bytes of one frame. */
const STACKS_MAX = 50_000;
const FRAMES_MAX = 64;
const FRAME_BYTES_MAX = 200;

/** Call stacks, interned: a million events come from a few hundred places. */
export class Stacks {
  private readonly list: string[][] = [];
  private readonly index = new Map<string, number>();
  private frames: string[] = [];

  constructor(private readonly limits: Limits) {}

  begin(): void {
    this.frames = [];
  }

  frame(buf: Uint8Array, start: number, end: number): void {
    if (this.frames.length < FRAMES_MAX) this.frames.push(textOf(buf, start, end, FRAME_BYTES_MAX));
  }

  /** The index of the stack collected since begin(); -1 when it is empty or there are too many. */
  end(): number {
    if (this.frames.length === 0) return -1;
    const key = this.frames.join('\n');
    const known = this.index.get(key);
    if (known !== undefined) return known;
    if (this.list.length >= STACKS_MAX) {
      this.limits.hit('stacks');
      return -1;
    }
    this.list.push(this.frames);
    this.index.set(key, this.list.length - 1);
    return this.list.length - 1;
  }

  get(index: number): string[] {
    return this.list[index] ?? [];
  }

  all(): readonly string[][] {
    return this.list;
  }
}

/** The function's name in a frame, without offset, size and module. */
export function symbolOf(frame: string): string {
  const end = frame.search(/[+ ]/);
  return end < 0 ? frame : frame.slice(0, end);
}
