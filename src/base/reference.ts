/** The kinds of references that a verdict turns on, and how a kind is known. */

export type ReferenceKind = 'pin' | 'get';

/**
 * How the kind of a reference is known: the name or flags of a probed function, a page_ref delta of
 * GUP_PIN_COUNTING_BIAS, functions in the call stack, the first count printed (taken before the trace began), or nothing but its shape.
 */
export type KnownBy = 'probe' | 'delta' | 'stack' | 'count' | 'guess';

/**
 * GUP_PIN_COUNTING_BIAS (include/linux/mm.h, 5.7 to 7.2): what a pin adds to the count of a small page.
 */
export const BIAS = 1024;
