/**
 * One prover a premise: proven by events, refuted by events, or open, and why. This is the only place that decides what is
 * certain; a premise that nothing proves is open, never assumed.
 */
import type {Line, Premise, When} from '../claims/premise.js';
import {Context} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import {countsRecorded, type Moment} from '../ledger/moment.js';
import {countAt, type DmaLink, type DmaWindow, liveAt} from '../ledger/tables/dma.js';
import type {Deed, Dropped, Reference} from '../ledger/tables/references.js';
import {untold} from '../capture/times.js';
import type {Doubt, Silence} from './silence.js';

export type Ruling =
  {state: 'proven'; by: readonly Line[]} | {state: 'open'; why: string; by: readonly Line[]} | {state: 'refuted'};

/** What the provers ask. */
export interface Court {
  m: Ledger;
  silence: Silence;
}

type Prover<Id extends Premise['id']> = (premise: Extract<Premise, {id: Id}>, court: Court) => Ruling;

const REFUTED: Ruling = {state: 'refuted'};
const proven = (...by: (Line | undefined)[]): Ruling => ({state: 'proven', by: lines(by)});
const open = (why: string, ...by: (Line | undefined)[]): Ruling => ({state: 'open', why, by: lines(by)});
const unless = (doubt: Doubt | null, ...by: (Line | undefined)[]): Ruling =>
  doubt === null ? proven(...by) : open(doubt.why, ...by);

function lines(by: readonly (Line | undefined)[]): Line[] {
  const named: Line[] = [];
  for (const l of by) if (l !== undefined && l.line > 0) named.push({input: l.input, line: l.line});
  return named;
}

/** Times are printed in microseconds: two events on two CPUs this close cannot be ordered. */
const TIE_NS = 1000;

/** From the probe on the entry of a grab or a drop to the change of the count, with an interrupt between. */
const GRAB_NS = 20_000;

/** The same on a CPU that stands still meanwhile: a virtual one, or a task that is preempted there (PREEMPT_RT). */
const STALL_NS = 20_000_000;

/** So long after an I/O was seen to end its pin would have been dropped, in the same interrupt or by a worker. */
const OVER_NS = 100_000_000;

/** Two events of one kind on one CPU are in the order of that CPU's own stream; else their distance must exceed the skew. */
function ordered(first: When, second: When, {m}: Court): Ruling {
  if (first.line === second.line && first.line > 0 && first.input === second.input) return proven(first);
  if (second.t < first.t) return REFUTED;
  if (first.cpu === second.cpu && first.cpu >= 0) {
    // at one time the order of the lines is that CPU's own
    const turned = second.t === first.t && second.input === first.input && second.line > 0 && second.line < first.line;
    return turned ? REFUTED : proven(first, second);
  }
  const distance = second.t - first.t;
  const ahead = m.capture.skew.ahead(first.cpu, second.cpu, m.capture.facts.get('clock'));
  if (distance > (m.capture.time.unit === 'ticks' ? 0 : TIE_NS)) {
    if (distance > ahead) return proven(first, second);
    return open(
      `lines ${first.line} and ${second.line} are on two CPUs, whose clocks may differ by more than lies between them: record with trace_clock mono`,
      first,
      second,
    );
  }
  return open(
    `lines ${first.line} and ${second.line} have equal times on two CPUs: their order is not known`,
    first,
    second,
  );
}

/** Whether nothing of a drop came before an event of its CPU that was printed before it: one task's, or what an interrupt interrupts. */
function oneRun(at: When & {task?: number}, dropped: Deed): boolean {
  return at.cpu === dropped.cpu && (at.task === dropped.task || dropped.context > Context.task);
}

/** Whether two deeds are one task's, one after the other. */
function oneTask(a: Deed, b: Deed): boolean {
  return a.task === b.task && a.context <= Context.task && b.context <= Context.task;
}

/** A large folio's count moves alike for pins and gets; a pin that no event shows is known from the count alone. */
function typed(reference: Reference): Ruling {
  if (reference.knownBy === 'guess') {
    return open(
      'what looks like a pin of a large folio may be a get_user_pages reference: no probe or stack tells',
      reference,
    );
  }
  if (reference.knownBy === 'count')
    return open(`its ${reference.kind} was taken before the trace began, or was not seen`, reference);
  return proven(reference);
}

/** The last drop of a reference, whether it was its own for certain or not. */
function lastDrop({dropped, droppedFrom}: Reference): Dropped | undefined {
  return dropped && {drop: dropped, from: droppedFrom};
}

/** The drops of which one was the reference's, where all of it and of those it was mixed up with were seen; else none. */
function dropsOf(reference: Reference): readonly Dropped[] {
  const {dropCertain, mixed, mixedAfter} = reference;
  const last = dropCertain ? lastDrop(reference) : undefined;
  if (last !== undefined) return [last];
  return mixed?.settled === true ? mixed.from(mixedAfter) : [];
}

/** Whether all of these drops came after a moment, by clocks that order them. */
function allLater(at: When & {task?: number}, drops: readonly Dropped[], court: Court): Ruling {
  let unclear: Ruling | undefined;
  for (const {drop} of drops) {
    const later = ordered(at, drop, court);
    if (later.state === 'refuted') return later;
    if (later.state === 'open') unclear ??= later;
  }
  return unclear ?? proven(drops[0]?.drop);
}

/** Whether a drop may have been under way at a time before it was printed: its probe is not later by clocks that order them. */
function begunBy(at: When & {task?: number}, {drop, from}: Dropped, court: Court): boolean {
  return !oneRun(at, drop) && ordered(at, {...drop, t: from}, court).state !== 'proven';
}

const begun = ({drop}: Dropped): Ruling =>
  open(`its drop was under way: the count that line ${drop.line} prints may have changed before`, drop);

/** What is dropped was taken and then mapped by one task on one CPU: whichever the clocks say, it was mapped to be held until the end. */
function tookAndMapped(of: Reference | undefined, {open: made}: DmaWindow, at: Deed): boolean {
  const one = of !== undefined && of.cpu === made.cpu && of.task === made.task && of.t <= made.t;
  return one && of.dropCertain && of.dropped === at;
}

/**
 * At the end no count is printed any more: who drops it may be an interrupt, unless it is long-term, and its owner's own to drop, or
 * its I/O was seen to be over long before.
 */
function atEnd({gupFlags, ioEnded, row}: Reference, {t}: When, {m, silence}: Court): Doubt | null {
  if (gupFlags >= 0 && m.capture.era.isLongterm(gupFlags) === true) return null;
  const over = ioEnded !== undefined && t - ioEnded.t >= OVER_NS && !m.pages.is(row, 'large');
  return over && m.pages.dma[row] === undefined && m.capture.time.unit === 'ns' ? null : silence.elsewhere();
}

/** A put names no kind: a get is there still only as long as nothing was put of its page. */
function stillGot(reference: Reference, page: Moment, at: When, court: Court): Ruling {
  const {m, silence} = court;
  if (!m.counts.complete()) return open('puts leave no event here: it may have been put before', reference);
  const put = reference.maybeDropped;
  if (put !== undefined && put.t <= at.t)
    return open(`line ${put.line} may be its put: it does not say which reference of the page goes`, reference, put);
  return unless(
    silence.never('put', page, reference.t, at.t) ?? (at.line > 0 ? null : atEnd(reference, at, court)),
    reference,
  );
}

/** The reference's own I/O was running: nobody lets go of what a device still has. */
function runsAt(link: DmaLink, at: When, court: Court): boolean {
  const {window} = link;
  const {m, silence} = court;
  return (
    window.close !== undefined &&
    liveAt(window, at.t).state === 'live' &&
    (window.certainEnd || m.dma.endsToBeExpected(window)) &&
    !m.dma.mayBeUnmapOfAnother(window) &&
    rulingOn({id: 'owns', link}, court).state === 'proven' &&
    ordered(at, window.close, court).state === 'proven' &&
    silence.lost(window.open.t, at.t) === null
  );
}

const PROVERS: {[Id in Premise['id']]: Prover<Id>} = {
  held({references, kind}) {
    if (references.length === 0) return open(`its ${kind} was taken before the trace began, or was not seen`);
    const by: Line[] = [];
    for (const reference of references) {
      const ruling = typed(reference);
      if (ruling.state !== 'proven') return ruling;
      by.push(...ruling.by);
    }
    return {state: 'proven', by};
  },

  'still-held'({reference, page, at, link}, court) {
    const {silence} = court;
    const taken = typed(reference);
    if (taken.state !== 'proven') return taken;
    if (at.line > 0) {
      const since = ordered(reference, at, court);
      if (since.state !== 'proven') return since;
    }
    if (link !== undefined && runsAt(link, at, court)) return proven(reference, link.window.open);
    if (reference.kind === 'get') return stillGot(reference, page, at, court);
    const from = reference.mixedSince;
    const drops = dropsOf(reference);
    // what the line of a drop prints of its page is so after it: a writeback that it is the first to show may have begun then
    const shownBy = reference.dropped;
    if (shownBy !== undefined && at !== shownBy && at.line === shownBy.line && at.input === shownBy.input)
      return open(`line ${at.line} shows it, which is the pin's own drop: it may have begun after that`, reference, at);
    // that it was dropped may become known later than the claim: its probe was all there is of that
    if (drops.length > 0 && drops.every(({drop}) => ordered(at, drop, court).state === 'refuted')) return REFUTED;
    if (drops.length > 0 && silence.lostOf(page, from, at.t) === null) {
      const later = allLater(at, drops, court);
      if (later.state === 'open') return later;
      if (later.state === 'proven') {
        const running = drops.find((drop) => begunBy(at, drop, court));
        return running ? begun(running) : proven(reference, drops[0]?.drop);
      }
    }
    const end = lastDrop(reference);
    if (end !== undefined && end.drop.t >= at.t && begunBy(at, end, court)) return begun(end);
    const maybe = reference.maybeDropped ?? reference.mixed?.maybeDropped;
    if (page.large && maybe !== undefined)
      return open(
        `line ${maybe.line} may be its drop: a change of that size, by no probe that was seen`,
        reference,
        maybe,
      );
    return unless(
      silence.never('dropped', page, from, at.t) ?? (at.line > 0 ? null : atEnd(reference, at, court)),
      reference,
    );
  },

  last({kind, page, drop, maybeHeld}, {m, silence}) {
    const {deed} = drop;
    if (kind === 'pin' && !page.large && page.count !== null && page.counted) {
      if (page.count >= 1024) return REFUTED;
      return proven(deed);
    }
    const left = kind === 'pin' ? page.pins : page.gets;
    if (drop.doubt !== null) return open(drop.doubt, deed);
    if (page.large && left > 0 && (maybeHeld || !drop.subCertain)) {
      return open(
        `the drop names the folio and not the page: ${left} ${kind}s are left on other pages of it, or on this one`,
        deed,
      );
    }
    if (!page.lifeSeen && !(page.counted && kind === 'pin'))
      return open(`the page is older than the trace: a ${kind} taken earlier could still hold it`, deed);
    if (page.large && drop.unmatched > 0)
      return open(
        `${drop.unmatched} of the ${drop.n} pins that it drops were not seen to be taken: those that were may be held still`,
        deed,
      );
    const more = kind === 'pin' ? m.held.excess.beside(page, deed) : undefined;
    if (more !== undefined)
      return open(
        `line ${more.line} drops a pin that was not seen to be taken: such a one may have held the page (folio_add_pin(), lost lines)`,
        deed,
        more,
      );
    return unless(silence.never('taken', page, page.since, deed.t), deed);
  },

  owns({link}, {m, silence}) {
    const {window, owner, ownerCertain, ownerWhy, unless, roomSince} = link;
    if (owner === 'writeback') return REFUTED;
    if (owner === 'none') return open('no reference in view had the page when it was mapped', window.open);
    if (!ownerCertain) return open(ownerWhy, window.open);
    if (unless !== undefined && m.dma.does(window, unless.device) !== false) return open(unless.why, window.open);
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
    return unless(silence.left() ?? silence.lost(start.t, end.t), start, end);
  },

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
    const why = untold(m.capture.facts);
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
