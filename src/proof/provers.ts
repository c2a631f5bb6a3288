/**
 * One prover a premise: proven by events, refuted by events, or open, and why. This is the only place that decides what is
 * certain; a premise that nothing proves is open, never assumed.
 */
import type {Premise} from '../claims/premise.js';
import {OF_MAPPINGS} from './of-mappings.js';
import {OF_REFERENCES} from './of-references.js';
import {OF_WRITEBACK} from './of-writeback.js';
import {type Court, open, ordered, proven, type Prover, type Provers, type Ruling, unless} from './ruling.js';

const PROVERS: Provers<Premise['id']> = {
  ...OF_REFERENCES,
  ...OF_MAPPINGS,
  ...OF_WRITEBACK,

  freed({deed, seen}) {
    return seen
      ? proven(deed)
      : open('its free was not seen, only that the page was handed out again: an event is missing', deed);
  },

  never({what, page, from, to, by}, court) {
    const {silence} = court;
    const taken = what === 'taken' ? court.m.held.excess.takenAfter(page, to) : undefined;
    if (taken !== undefined) {
      const {drop, next} = taken;
      if (next === undefined)
        return open('more pins of the page were dropped than taken, and which were taken after is not kept', drop);
      const order = ordered(drop, next, court);
      if (order.state !== 'proven') return order;
    }
    return unless(
      silence.never(what, page, from, to) ??
        (by === 'end' ? silence.whole(from, to) : null) ??
        (by === 'silence' && !page.counted
          ? (silence.ofPage(page, from, to, 'mapped') ?? silence.alone(from, to))
          : null),
    );
  },

  counted({deed, page}) {
    if (page.count === null) return open('no count was printed', deed);
    return proven(deed);
  },

  'whole-life'({page}) {
    return page.lifeSeen ? proven() : open('the page is older than the trace: what it was before is not known');
  },

  named({mapped}, {m}) {
    const {identity, pageSize} = m.capture;
    if (identity.conflict)
      return open(
        'pointers to struct page do not agree on one base in this trace: which page one names is not certain',
      );
    if (!identity.proven && identity.unproven > 0)
      return open('where struct pages begin is not proven (vmemmap_base): which page a pointer names is not certain');
    if (mapped && pageSize.conflict !== undefined) return open(`the trace names two page sizes, ${pageSize.conflict}`);
    if (mapped && !pageSize.known)
      return open('the page size is not known: which page an address of a mapping is in is not certain');
    return proven();
  },

  before({first, second}, court) {
    return ordered(first, second, court);
  },

  timed(_, {m}) {
    const why = m.capture.untold;
    return why === null ? proven() : open(why);
  },

  unfiltered({page}, {m}) {
    if (!m.capture.showsCounts || m.counts.smallSeen || (!page.large && page.count !== null)) return proven();
    return open(
      'page_ref events were filtered by their value, it seems: what the count of a large folio changes by is not among them',
    );
  },

  unabridged(_, {silence}) {
    const left = silence.left();
    return left === null ? proven() : open(left.why);
  },

  told({known, why, by}) {
    return known ? {state: 'proven', by} : {state: 'open', why, by};
  },
};

/** The ruling on one premise. */
export function rulingOn(premise: Premise, court: Court): Ruling {
  return (PROVERS[premise.id] as Prover<Premise['id']>)(premise as never, court);
}
