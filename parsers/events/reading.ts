import type {OwnName} from '../../src/events/kinds.js';

/** A name's field, or what is special about it, ready to be read. */
export interface Reading {
  readonly how: number;
  /** in words of 64 bits, where the field is a double */
  readonly at: number;
  /** bit of `has` that says that the field was there */
  readonly has: number;
  readonly field: OwnName | undefined;
}
