/**
 * Numbers that no kernel prints. A trace is untrusted text: an order of 63 would free 2^63 pages one by one, a val of
 * 10^32 is no change of an int. An event with such a number is damaged, and is counted instead of used.
 */
import {EventKind as K, PageName, type TraceEvent} from './event.js';

/** PFNs have fewer than 40 bits with 4 KiB pages and 52 bits of physical addresses, the most of x86-64 and arm64. */
export const PFN_LIMIT = 2 ** 40;
/** A hugetlb page of 2 GiB (s390) is of order 19, the largest of all. */
export const ORDER_MAX = 20;
/** References taken or dropped at once: those of every page of the largest folio. */
const REFS_MAX = 2 ** ORDER_MAX;
const INT_MAX = 2 ** 31;
const ADDRESS_LIMIT = 2 ** 64;

/**
 * Whether the numbers that the ledger computes with can be true. Only those of the event's own kind are looked at: the
 * others may be left over from the event before.
 */
export function believable(ev: TraceEvent): boolean {
  const {kind} = ev;
  // `_refcount` is an atomic_t
  if (kind <= K.RefUnfreeze)
    return ev.pfn >= 0 && ev.pfn < PFN_LIMIT && isInt(ev.val) && (ev.hasCount === 0 || isInt(ev.count));
  if (ev.pageName === PageName.pfn && !(ev.pfn < PFN_LIMIT)) return false;
  switch (kind) {
    case K.Grab:
    case K.GupPut:
    case K.AddPin:
      return ev.refs >= 1 && ev.refs <= REFS_MAX;
    case K.PageAlloc:
    case K.PageFree:
    case K.PageFreeBatched:
    case K.CacheAdd:
    case K.CacheDelete:
      return ev.order <= ORDER_MAX;
    case K.DmaMap:
    case K.IommuMap:
      return isAddress(ev.dmaAddr) && isAddress(ev.size) && ev.phys < PFN_LIMIT * 4096;
    case K.IommuFault:
      return isAddress(ev.dmaAddr);
    case K.DmaUnmap:
    case K.IommuUnmap:
    case K.Bounced:
      return isAddress(ev.dmaAddr) && isAddress(ev.size);
    default:
      return true;
  }
}

function isInt(value: number): boolean {
  return value < INT_MAX && value >= -INT_MAX;
}

function isAddress(value: number): boolean {
  return value < ADDRESS_LIMIT;
}
