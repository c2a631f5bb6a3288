/** Call stacks shortened to what a reader needs: one frame a line, innermost first. */
import {functionOf, isTracer} from '../base/frames.js';
import type {Finding} from '../results/report.js';

export interface ShownStack {
  role: string;
  frames: string[];
  /** frames of the tracer itself, left out at the top */
  tracer: number;
  /** outer frames that every stack of the finding has, left out at the bottom */
  common: number;
}

/** Frames of the outer end that say nothing about who called: the way in from user space, or out of the idle loop. */
const KEEP_COMMON = 1;

/**
 * Stacks side by side: the tracer's frames go, and of the outer frames that all stacks share only the first is kept.
 * A single stack keeps its outer end. Nothing is cut without its number being told.
 */
export function trimmed(stacks: Finding['stacks'], most = 16): ShownStack[] {
  const bare = stacks
    .filter((stack) => stack.frames.length > 0)
    .map((stack) => {
      let tracer = 0;
      while (tracer < stack.frames.length - 1 && isTracer(stack.frames[tracer] ?? '')) tracer++;
      return {role: stack.role, frames: stack.frames.slice(tracer), tracer};
    });
  const common = bare.length < 2 ? 0 : sharedEnd(bare.map((stack) => stack.frames));
  return bare.map((stack) => {
    const cut = Math.max(0, Math.min(common - KEEP_COMMON, stack.frames.length - 1));
    let frames = stack.frames.slice(0, stack.frames.length - cut);
    let left = cut;
    if (frames.length > most) {
      left += frames.length - most;
      frames = frames.slice(0, most);
    }
    return {role: stack.role, frames, tracer: stack.tracer, common: left};
  });
}

/** How many outer frames all stacks share, compared by function: two offsets in one caller are the same caller. */
function sharedEnd(stacks: string[][]): number {
  const shortest = Math.min(...stacks.map((frames) => frames.length));
  let shared = 0;
  while (shared < shortest) {
    const names = stacks.map((frames) => functionOf(frames[frames.length - 1 - shared] ?? ''));
    if (names.some((name) => name !== names[0])) break;
    shared++;
  }
  return shared;
}

/** The lines of a stack as tracefs prints them, with the number of frames left out. */
export function stackLines(stack: ShownStack): string[] {
  const lines = stack.frames.map((frame) => `=> ${frame}`);
  if (stack.common > 0) lines.push(`   [${stack.common} outer frames not shown]`);
  return lines;
}
