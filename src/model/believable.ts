/**
 * Numbers that no kernel prints. A trace is untrusted text: an order of 63 would free 2^63 pages one by one, a val of
 * 10^32 is no change of an int. An event with such a number is damaged, and is counted instead of used.
 */
import {EventKind as K, type TraceEvent} from './event.js';

/** PFNs have fewer than 40 bits with 4 KiB pages and 52 bits of physical addresses, the most of x86-64 and arm64. */
export const PFN_LIMIT = 2 ** 40;
/** A hugetlb page of 2 GiB (s390) is of order 19, the largest of all. */
export const ORDER_MAX = 20;
/** References taken or dropped at once: those of every page of the largest folio. */
const REFS_MAX = 2 ** ORDER_MAX;
const INT_MAX = 2 ** 31;
const ADDRESS_LIMIT = 2 ** 64;

/** Whether the numbers that the model computes with can be true. */
export function believable(ev: TraceEvent): boolean {
  const {kind} = ev;
  // `_refcount` is an atomic_t
  if (kind <= K.RefUnfreeze)
    return (
      ev.pfn >= 0 &&
      ev.pfn < PFN_LIMIT &&
      ev.val < INT_MAX &&
      ev.val >= -INT_MAX &&
      ev.count < INT_MAX &&
      ev.count >= -INT_MAX
    );
  return (
    ev.pfn < PFN_LIMIT &&
    ev.order <= ORDER_MAX &&
    ev.refs >= 1 &&
    ev.refs <= REFS_MAX &&
    ev.size >= 0 &&
    ev.size < ADDRESS_LIMIT &&
    ev.dmaAddr < ADDRESS_LIMIT &&
    ev.phys < PFN_LIMIT * 4096
  );
}
