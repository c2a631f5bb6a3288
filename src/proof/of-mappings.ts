/** Mappings for DMA: whose they are, when they were live, and which of them a fault was of. */
import {countsRecorded} from '../ledger/moment.js';
import {countAt, type DmaWindow, liveAt} from '../ledger/tables/dma.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {GRAB_NS, open, ordered, proven, type Provers, REFUTED, unless} from './ruling.js';

/** What a mapping of a pinned page may be for where its device was not seen to map what its driver pins. */
const GIVEN =
  'the device was not seen to map what its driver pins: it may follow page tables (HMM), or have mapped memory that a dma-buf holds, and the pin be for something else';

/** What is dropped was taken and then mapped by one task on one CPU: whichever the clocks say, it was mapped to be held until the end. */
function tookAndMapped(of: Reference | undefined, {open: made}: DmaWindow, at: Deed): boolean {
  const one = of !== undefined && of.cpu === made.cpu && of.task === made.task && of.t <= made.t;
  return one && of.dropCertain && of.dropped === at;
}

export const OF_MAPPINGS: Provers<'owns' | 'live' | 'unmapped' | 'not-mapped'> = {
  owns({link}, {m, silence}) {
    const {window, owner, ownerCertain, ownerWhy, unless: unlessDevice, roomSince} = link;
    if (owner === 'writeback') return REFUTED;
    if (owner === 'none') return open('no reference in view had the page when it was mapped', window.open);
    if (!ownerCertain) return open(ownerWhy, window.open);
    // what a block request is for is read or written by who issued it; of all else a GPU or a camera may map what others hold: page
    // tables that it follows, memory of a dma-buf (hmm_range_fault(); udmabuf, vb2_dma_sg_map_dmabuf())
    if (owner === 'pin' && window.request === undefined && m.dma.does(window, 'mayBeGiven') !== false)
      return open(GIVEN, window.open);
    if (unlessDevice !== undefined && m.dma.does(window, unlessDevice.device) !== false)
      return open(unlessDevice.why, window.open);
    // the same task may have one more I/O on the page, by get_user_pages(), as direct I/O did up to 6.4
    const unseen = roomSince === Infinity ? null : silence.takings(roomSince);
    if (unseen !== null) return open(`the mapping may be that of a get that left no event: ${unseen.why}`, window.open);
    if (window.iommuOnly && window.device < 0)
      return open(
        'the mapping is known from an iommu:map event only, which names no device and no direction',
        window.open,
      );
    return proven(window.open);
  },

  live({window, at, page, of}, court) {
    const {close, earliestEnd, overlap} = window;
    const {silence} = court;
    const from = Math.min(window.sharedSince, window.open.t);
    const to = close?.t ?? at.t;
    // An unmap comes just before the completion, if there is one: the completion is enough.
    const complete = window.endedBy === 'completion' && (window.certainEnd || (window.request?.rivals ?? 0) > 1);
    const unseen = complete
      ? (silence.left() ?? silence.lost(from, to) ?? silence.filtered())
      : // a mapping of the page whose map is missing may be what that unmap ended, and its own be missing too
        (silence.never('unmapped', page, from, to) ?? silence.ofPage(page, from, to, 'mapped'));
    if (unseen !== null) return open(unseen.why, window.open);
    // A device that leaves mappings open has no unmap to wait for: only an end that is the window's own tells anything.
    if (!complete && !window.certainEnd && close !== undefined && !court.m.dma.endsToBeExpected(window)) return REFUTED;
    const {state, why} = liveAt(window, at.t);
    if (state === 'ended') return REFUTED;
    const made = ordered(window.open, at, court);
    if (made.state !== 'proven' && !tookAndMapped(of, window, at)) return made;
    if (close !== undefined && court.m.dma.mayBeUnmapOfAnother(window))
      return open(
        `the device leaves most mappings open, and that its request was complete with the unmap at line ${close.line} was not seen: that may be of a later mapping, whose line is missing`,
        window.open,
        close,
      );
    if (state === 'live') {
      const end = earliestEnd ?? close!;
      if (!countsRecorded(court.m) && at.cpu !== end.cpu && end.t - at.t <= GRAB_NS)
        return open(
          `line ${end.line} of another CPU came while the drop was under way: its probe is hit before the count changes`,
          at,
          end,
        );
      return ordered(at, end, court);
    }
    if (close !== undefined && overlap !== undefined && countAt(overlap, page.pfn, at.t) > 0)
      return ordered(at, close, court);
    return open(why, window.open, earliestEnd);
  },

  unmapped({mapping, fault: {deed: fault, untimed}, page}, court) {
    const {open: map, close, certain} = mapping;
    if (untimed)
      return open(
        "the fault is told by the kernel's log, whose times are not those of the trace: when it was is not known",
        close,
        fault,
      );
    if (!certain)
      return open(
        'several mappings of the address were open, and which of them this unmap ended is not known',
        map,
        close,
      );
    const after = ordered(close, fault, court);
    if (after.state !== 'proven') return after;
    // A mapping made in between would have had the address.
    const {silence} = court;
    const doubt = silence.left() ?? silence.lostOf(page, close.t, fault.t) ?? silence.filtered() ?? silence.coherent();
    return unless(doubt, map, close, fault);
  },

  'not-mapped'({fault}, {m, silence}) {
    if (m.dma.past.forgotten > 0)
      return open('more mappings ended than are kept: the address may have been of one that ended long before', fault);
    if (m.dma.past.cutLists > 0)
      return open('a list of mappings was printed in part: the address may have been of the rest', fault);
    if (m.dma.forgotten > 0) return open('mappings were given up because too many were open', fault);
    return unless(silence.left() ?? silence.lost(-Infinity, fault.t) ?? silence.filtered(), fault);
  },
};
