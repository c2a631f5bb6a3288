/** A page as it is now, written down for what is claimed about it later. */
import {EventKind as K} from '../events/event.js';
import type {Moment} from '../claims/claim.js';
import type {Model} from './model.js';
import {PageState, UNKNOWN_COUNT} from './tables/page-table.js';

/**
 * The moment of a folio's row. `page`: the row of the sub-page it is about, where that has a life of its own (DMA links).
 */
export function momentOf(m: Model, row: number, page = row): Moment {
  const {pages} = m;
  const state = pages.state[row]!;
  const large = (state & PageState.large) !== 0;
  const count = pages.count[row]!;
  const file = m.files.of(row);
  return {
    pfn: pages.pfn[page]!,
    row,
    generation: pages.generation[page]!,
    large,
    order: pages.order[row]!,
    lifeSeen: (state & PageState.lifeSeen) !== 0,
    since: pages.since[row]!,
    count: count === UNKNOWN_COUNT ? null : count,
    counted: !large && count !== UNKNOWN_COUNT && countsRecorded(m),
    pins: pages.pins[row]!,
    gets: pages.gets[row]!,
    kind:
      (state & PageState.file) !== 0 ? 'file' : (state & PageState.swapBacked) !== 0 ? 'anonymous' : unfiled(m, row),
    swapBacked: (state & PageState.swapBacked) !== 0,
    file,
    entered: file && {input: file.input, line: file.line},
  };
}

/**
 * A page whose whole life is recorded, in a trace that shows pages entering the page cache, and that entered none: anonymous,
 * unless an event of it was lost.
 */
function unfiled(m: Model, row: number): 'anonymous' | 'unknown' {
  const {pages} = m;
  if ((pages.state[row]! & PageState.lifeSeen) === 0 || !m.records(K.CacheAdd)) return 'unknown';
  return m.gaps.within(pages.since[row]!, m.now) === undefined ? 'anonymous' : 'unknown';
}

/** Whether page_ref events back the probes: without them a probe that was missed leaves no mark. */
export function countsRecorded(m: Model): boolean {
  return m.records(K.RefModAndTest) && m.records(K.RefMod);
}
