import type {Machine, Style} from '../machine.js';

/** Correct work that looks like a bug, or, with `finds`, a bug of the same looks. */
export interface Scene {
  name: string;
  /** why it is correct (or wrong), by which kernel source or document */
  why: string;
  on: readonly Style[];
  make: (k: Machine) => void;
  /** the trace ends with it */
  last?: true;
  /** a rule that may be sure all the same, as the scene holds that hazard too */
  allows?: string;
  /** the rule that must find it */
  finds?: string;
  /** and be sure of it, of these pages */
  sure?: readonly number[];
}

export const EVERY: readonly Style[] = ['counted', 'probed', 'old'];
export const NEW: readonly Style[] = ['counted', 'probed'];

/** Pages that scenes play with, and the head of a folio of 512. */
export const P = 0x2a00;
export const Q = 0x2b00;
export const H = 0x10000;
