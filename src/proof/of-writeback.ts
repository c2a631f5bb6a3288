/** Writeback and dirtiness: of what page, when it ran, and who marked it. */
import {countsRecorded} from '../ledger/moment.js';
import {GRAB_NS, oneTask, open, ordered, proven, type Provers, REFUTED, STALL_NS, unless} from './ruling.js';

export const OF_WRITEBACK: Provers<'of-file' | 'under-writeback' | 'no-fault'> = {
  'of-file'({page, under}, court) {
    if (page.kind === 'file') return proven(page.entered);
    // pageout() and add_to_swap() leave a page alone that somebody else holds (is_page_cache_freeable(), mm/vmscan.c): what
    // went under writeback while it was held did so for its file.
    if (under !== undefined && ordered(under.reference, under.start, court).state === 'proven')
      return proven(under.reference, under.start);
    if (page.kind === 'anonymous') return REFUTED;
    return open('whether the page is of a file is not known: no filemap event and no page flags of it were recorded');
  },

  'under-writeback'({writeback, at, late, by, of}, court) {
    const {m, silence} = court;
    const {start, end, exact} = writeback;
    if (!late) {
      const drop = of?.dropped;
      // __folio_start_writeback() is probed where it begins: what is dropped meanwhile may be gone before it sets the flag
      if (exact && drop !== undefined && drop.t - start.t <= GRAB_NS && !oneTask(start, drop))
        return open(`line ${drop.line} drops it while the writeback begins: which was first is not known`, start, drop);
      return proven(start);
    }
    if (writeback.flagSeenAt >= at.t) return proven(start, end);
    const begun = ordered(start, at, court);
    if (begun.state !== 'proven') return begun;
    if (end === undefined || writeback.endUnseen === true)
      return open('the end of the writeback was not seen: it may have come before the pin', start);
    const over = ordered(at, end, court);
    if (over.state !== 'proven') return over;
    // A probe stands where the function begins: the writeback may end before the count changes, on a CPU that stands still.
    const held = end.t - at.t >= STALL_NS || (by !== undefined && ordered(by, end, court).state === 'proven');
    if (!held && 'knownBy' in at && !countsRecorded(m))
      return open('the writeback ended while the pin was taken: which was first is not known', at, end);
    if (!m.writeback.endsRecorded)
      return open('the ends of writeback are not recorded: it may have been over before the pin', start);
    // what ended may be another writeback, of which only the end was recorded
    return unless(silence.left() ?? silence.lost(start.t, end.t) ?? silence.whole(start.t, end.t), start, end);
  },

  'no-fault'({page, mark, marks, again, untaken}, {m}) {
    // a fault takes the page before it marks it (filemap_fault(); wp_page_shared(), mm/memory.c)
    if (untaken) return proven();
    if (again !== undefined)
      return open('the same task marked it again soon after: both may be of one write fault of a slow machine', again);
    const twice = page.file === undefined ? undefined : m.writeback.marksTwice.get(page.file.dev);
    if (m.capture.probesMissedByKernel > 0)
      return open('the kernel missed hits of probes: the other marking of a write fault may be one of them');
    if (m.counts.complete()) return open('the task took the page before it marked it, as a write fault does', mark);
    // each fault marks twice: an odd number is not of faults alone
    if (twice !== undefined && marks % 2 === 1 && twice.first.t <= mark.t && mark.t <= twice.last.t)
      return proven(twice.first, twice.last);
    if (marks > 1)
      return open(
        'stores by the program may explain it: into each page of a large folio that is a fault, and marks the folio',
      );
    return open(
      'a store by the program may explain it: this file system was not seen, before and after, to mark a page twice in a write fault, as ext4 and XFS do',
    );
  },
};
