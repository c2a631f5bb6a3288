import {formatDuration} from '../base/duration.js';
import {endOfTrace, held, never, type Premise, stillHeld, told} from '../claims/premise.js';
import type {Charge, Said} from '../claims/claim.js';
import {Context, EventKind as K, PageFlag} from '../events/event.js';
import type {Listener} from '../ledger/listener.js';
import type {Moment} from '../ledger/moment.js';
import type {Ledger} from '../ledger/ledger.js';
import {countsRecorded, momentOf} from '../ledger/moment.js';
import {UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import {BIAS} from '../base/reference.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {droppedElsewhere, mappedFor} from './live-links.js';
import type {Rule, RuleContext} from './types.js';

/** A page whose last event, or the end of whose I/O, is this close to the end of the trace may have its drop just after it. */
const SETTLED_NS = 1_000_000;
/**
 * What is left to do when the device is done may be a worker's, which waits for a CPU: to decrypt or to verify what was read
 * (drivers/md/dm-crypt.c kcryptd_queue_crypt(), dm-verity, fs/btrfs/bio.c btrfs_end_bio_work()). As a rule it is done in a
 * moment, and in no more than so many times the longest that the trace shows.
 */
const DONE_NS = 10_000_000;
const LONGER = 4;
/**
 * Pages that were cleaned under a read are marked dirty and unpinned by a worker as well (block/bio.c bio_check_pages_dirty()), and
 * that may be the first that the trace has. An anonymous page is cleaned by nobody that finds it pinned.
 */
const WORKER_NS = 100_000_000;
/** Most pages whose last change is kept, to be shown as the end of the owner. */
const CHANGES_MAX = 500_000;

const LEFT = 'it is the one that is left';

export const pinLeak: Rule = {
  meta: {
    id: 'pin-leak',
    title: "still holds a pin although the trace shows its owner's end",
    severity: "error; note for a pin merely held at the end of the trace, or whose owner's end the trace cannot show",
    needs: ['pins', 'unpins'],
    helpedBy: [
      {need: 'time', misses: 'how long the trace goes on after the end of its I/O: what it finds is possible only'},
      {need: 'counts', misses: 'the end of the owner (mapcount gone to none): pins still held are then notes'},
    ],
    meaning:
      'Nobody is left who could unpin the page: it stays allocated, cannot be migrated, and its memory is lost until reboot.',
    proof:
      'The pin, the last mapping going away, and a count that holds nothing but the pin until the end of the trace.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'told', says: 'its owner is gone'},
      {id: 'never', says: 'it was not dropped in between'},
      {id: 'told', says: 'the pin was not long-term'},
      {id: 'told', says: 'its I/O is over'},
      {id: 'told', says: 'it is the one that is left'},
      {id: 'still-held', says: 'the pin was held then'},
    ],
    lookAlikes: [
      'Long-term pins (io_uring fixed buffers, RDMA, VFIO) outlive the mapping by design: a note.',
      'Trace ended before the drop; a drop that a missed probe hid, where only probes were recorded: a note.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst; /proc/vmstat nr_foll_pin_acquired, nr_foll_pin_released',
  },
  judge: (context) => judge(context, 'pin'),
};

export const getLeak: Rule = {
  meta: {
    id: 'get-leak',
    title: "still holds a get_user_pages reference although the trace shows its owner's end",
    severity: 'warning; else note',
    needs: ['counts', 'puts'],
    helpedBy: [
      {
        need: 'gets',
        misses: 'who took the reference, and that it is one of get_user_pages: what it finds is possible only',
      },
    ],
    meaning: 'The reference was never put: the page stays allocated after its last mapping is gone.',
    proof:
      'The get (a probe with FOLL_GET), the last mapping going away, and a count that stays above what the page itself needs.',
    premises: [
      {id: 'told', says: 'it was a get_user_pages reference'},
      {id: 'held', says: 'it was a get_user_pages reference'},
      {id: 'told', says: 'its owner is gone'},
      {id: 'never', says: 'it was not put in between'},
      {id: 'told', says: 'nothing else carries the reference'},
      {id: 'told', says: 'it is the one that is left'},
      {id: 'still-held', says: 'the get was held then'},
    ],
    lookAlikes: ['References of LRU batches, which are drained later: a page not yet on the LRU is only possible.'],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst',
  },
  judge: (context) => judge(context, 'get'),
};

function judge(context: RuleContext, kind: 'pin' | 'get'): Listener {
  const m = context.ledger;
  /** the last change of the count of pages that hold something: the deed that leaves the reference alone */
  const lastChange = new Map<number, Deed>();
  return {
    counted(row, deed, delta) {
      const {pages} = m;
      if ((kind === 'pin' ? pages.pins[row]! : pages.gets[row]!) <= 0 || delta >= 0 || !unmapped(m, row)) return;
      if (lastChange.size < CHANGES_MAX || lastChange.has(row)) lastChange.set(row, deed());
      else m.capture.limits.hit('kept-by-rules');
    },
    ended(t) {
      const {pages} = m;
      for (let row = 0; row < pages.size; row++) {
        // What a put on a pin or an excess unpin left behind is told in that finding.
        if (context.explained.has(row)) continue;
        for (let r = pages.references[row]; r; r = r.next)
          if (r.kind === kind && !droppedElsewhere(m, row, r) && !droppedBefore(row)) context.claim(claim(row, r, t));
      }
      if (kind === 'get' && !m.capture.records(K.Grab))
        for (const [row, {generation, deed}] of m.refs.orphans) orphaned(row, generation, deed, t);
    },
  };

  /** Where the order of lines is not that of time, a drop of the page that no taking explains may be of what is left. */
  function droppedBefore(row: number): boolean {
    if (m.capture.untold === null) return false;
    return m.held.excess.after({row, generation: m.pages.generation[row]!}, -Infinity) !== undefined;
  }

  function justBefore(t: number, end: number): boolean {
    return m.capture.time.unit === 'ns' && end - t < SETTLED_NS;
  }

  function ioOver({ioEnded: ended, ioEndNamed, ioOfSectors}: Reference, moment: Moment, end: number): Premise {
    const says = 'its I/O is over';
    if (ended === undefined)
      return told(
        says,
        false,
        'no mapping for DMA made under it was seen to end: its I/O may be running on a device that maps nothing',
      );
    if (!ioEndNamed)
      return told(
        says,
        false,
        'the end of its mapping is known from an iommu:unmap event only, which names no device: another one may have the same address',
        ended,
      );
    if (m.capture.time.unit !== 'ns')
      return told(
        says,
        false,
        'the clock counts, and tells no time: how long the trace goes on after the end of its I/O is not known',
        ended,
      );
    // A driver unmaps before it gives a request back, and maps again when that is issued again, which may take minutes (blk_mq_requeue_request()).
    const again = m.dma.requeuedWithin(ended.t, ended.t + WORKER_NS);
    if (again !== undefined)
      return told(
        says,
        false,
        `line ${again.line} puts a request back into its queue just after its mapping ended: it may be tried again`,
        ended,
        again,
      );
    if (!ioOfSectors && ended.context !== Context.task) {
      const where = ended.context > Context.task ? 'ended in an interrupt' : 'may have ended in an interrupt';
      return told(
        says,
        false,
        `its I/O ${where}: who waits for it may not have collected it, and drops the pin then (SG_IO, passthrough by io_uring)`,
        ended,
      );
    }
    const why = `the trace ends ${formatDuration(end - ended.t)} after its I/O did: a worker may drop the pin`;
    return told(says, !soonAfter(ended.t, moment, end), why, ended);
  }

  /** A reference that is named by who took it, or by its pages, is not another of the folio. */
  function left(reference: Reference, {large}: Moment): Premise[] {
    const {mixed, sub, subCertain} = reference;
    if (mixed?.leaves(reference) === false)
      return [
        told(
          LEFT,
          false,
          'drops of the page may have been of any of its references: which of them is left is not known',
        ),
      ];
    if (!large || sub < 0 || subCertain) return [];
    return [told(LEFT, false, 'which pages of the folio it covers is not known')];
  }

  function untilEnd({mixedSince}: Reference, moment: Moment, end: number): Premise {
    return never(kind === 'pin' ? 'dropped' : 'put', moment, mixedSince, end, 'end');
  }

  /** Whether what is left to do when an I/O has ended may come after the trace. */
  function soonAfter(t: number, {kind}: Moment, end: number): boolean {
    const least = kind === 'anonymous' ? DONE_NS : WORKER_NS;
    return end - t < Math.max(least, LONGER * m.held.longestToDrop);
  }

  /** A page whose last mapping went and whose count did not: without probes the reference that is left has no kind. */
  function orphaned(row: number, generation: number, deed: Deed, end: number): void {
    const {pages} = m;
    const gone = pages.generation[row] !== generation || pages.is(row, 'free') || pages.lastTime[row] !== deed.t;
    if (gone || !pages.is(row, 'lifeSeen') || justBefore(deed.t, end)) return;
    const page = momentOf(m, row);
    const raw = pages.count[row]!;
    const says = (): Said => ({
      rule: 'get-leak',
      severity: 'warning',
      pfn: page.pfn,
      order: 0,
      premises: [
        told(
          'it was a get_user_pages reference',
          false,
          'the kind of the reference that is left is not traced: probe try_grab_* to know it',
          deed,
        ),
      ],
      start: deed.t,
      end: NaN,
      deed: `${deed.task}`,
      args: {distance: end - deed.t, facts: {leak: true, unknown: true}},
      tasks: [{role: 'put', task: deed.task}],
      stacks: [],
      device: -1,
      evidence: [{role: 'end-of-owner', deed}],
      countsBefore: null,
      countsAfter: {raw, pins: page.pins},
    });
    context.claim({page, at: deed.t, says});
  }

  function claim(row: number, reference: Reference, end: number): Charge {
    const {pages} = m;
    const owner = ownerEnd(row, reference, end);
    const last = lastChange.get(row);
    const {leak} = owner;
    const page = momentOf(m, row);
    const large = pages.is(row, 'large');
    const {sub, n} = reference;
    const raw = pages.count[row] === UNKNOWN_COUNT ? null : pages.count[row]!;
    const says = (): Said => ({
      rule: kind === 'pin' ? 'pin-leak' : 'get-leak',
      severity: leak ? (kind === 'pin' ? 'error' : 'warning') : 'note',
      pfn: sub >= 0 ? sub : page.pfn,
      order: sub < 0 && large ? page.order : 0,
      span: sub >= 0 && large ? n : 1,
      premises: owner.premises,
      start: reference.t,
      end: NaN,
      deed: `${reference.task}.${reference.call}.${reference.stack}.${leak}`,
      args: {
        distance: end - reference.t,
        facts: {leak, longterm: owner.longterm, pages: n, before: reference.knownBy === 'count'},
      },
      tasks: reference.task >= 0 ? [{role: kind, task: reference.task}] : [],
      stacks: [{role: kind, stack: reference.stack}],
      device: -1,
      evidence: [
        ...(reference.line > 0 ? [{role: kind, deed: reference}] : []),
        ...(leak && last ? [{role: 'end-of-owner', deed: last}] : []),
      ],
      countsBefore: null,
      countsAfter: {raw, pins: page.pins},
    });
    return {page, at: reference.t, says};
  }

  /** Whether the end of the reference's owner was seen, and what must hold for the leak to be one. */
  function ownerEnd(
    row: number,
    reference: Reference,
    end: number,
  ): {leak: boolean; longterm: boolean; premises: Premise[]} {
    const {pages} = m;
    const longterm = reference.gupFlags >= 0 ? m.capture.era.isLongterm(reference.gupFlags) : undefined;
    const moment = momentOf(m, row);
    const large = moment.large;
    const note = (why: string | null) => ({
      leak: false,
      longterm: longterm === true,
      premises: [
        held([reference], moment, kind),
        ...(why === null
          ? [
              stillHeld(reference, moment, endOfTrace(end)),
              ...left(reference, moment),
              untilEnd(reference, moment, end),
            ]
          : [told('its owner is gone', false, why)]),
      ],
    });
    if (reference.knownBy === 'count') return note(null);
    if (!countsRecorded(m))
      return note(
        'page_ref events were not recorded: the end of its owner, or a drop whose probe was missed, cannot be seen',
      );
    if (longterm === true) return note(null);
    // A large folio prints the mapcount of its head page alone, which says nothing of the folio: its count must tell.
    if (!large && (!unmapped(m, row) || !pages.is(row, 'wasMapped'))) return note(null);
    const count = pages.count[row]!;
    const holding = large ? pages.pins[row]! : BIAS * pages.pins[row]!;
    const basis = Math.max(0, m.counts.basis(row));
    const alone = kind === 'pin' ? count - holding === basis : count - holding > basis;
    if (!alone) return note(null);
    if (justBefore(pages.lastTime[row]!, end)) return note('the trace ends right after its last mapping went');
    if (mappedFor(m, row, reference))
      return note("a device still has it mapped: the reference's own I/O may be running");
    const last = lastChange.get(row);
    return {
      leak: true,
      longterm: false,
      premises: [
        held([reference], moment, kind),
        told('its owner is gone', true, '', ...(last ? [last] : [])),
        untilEnd(reference, moment, end),
        // which of a large folio's pins is left turns on which were dropped: a long-term one, or one whose I/O runs, is no leak
        ...(reference.mixed === undefined
          ? []
          : [
              told(
                LEFT,
                false,
                'drops of the folio may have been of any of its pins: one that is long-term, or whose I/O runs, may be what is left',
              ),
            ]),
        kind === 'pin'
          ? told(
              'the pin was not long-term',
              longterm !== undefined,
              'whether the pin is long-term, and may outlive the mapping, is not known: no flags were traced',
            )
          : told(
              'nothing else carries the reference',
              false,
              (pages.flags[row]! & PageFlag.lru) === 0
                ? 'the page is not on the LRU: a batch may hold the reference'
                : 'the end of the mapping is not the end of the holder: a pipe or a socket may carry the reference (vmsplice, MSG_ZEROCOPY)',
            ),
        ...(kind === 'pin' ? [ioOver(reference, moment, end)] : []),
      ],
    };
  }
}

/** Whether the last count printed says that nobody maps the page. */
function unmapped(m: Ledger, row: number): boolean {
  const mapcount = m.pages.mapcount[row]!;
  if (mapcount === UNKNOWN_COUNT) return false;
  return m.capture.era.rawMapcount ? mapcount === -1 : mapcount === 0;
}
