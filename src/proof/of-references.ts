/** References: that they were taken and held, until when, and that none was left. */
import type {Line, When} from '../claims/premise.js';
import {Context} from '../events/event.js';
import type {Moment} from '../ledger/moment.js';
import {type DmaLink, liveAt} from '../ledger/tables/dma.js';
import type {Deed, Dropped, Reference} from '../ledger/tables/references.js';
import {OF_MAPPINGS} from './of-mappings.js';
import {type Court, open, ordered, proven, type Provers, REFUTED, type Ruling, unless} from './ruling.js';
import type {Doubt} from './silence.js';

/** So long after an I/O was seen to end its pin would have been dropped, in the same interrupt or by a worker. */
const OVER_NS = 100_000_000;

/** Whether nothing of a drop came before an event of its CPU that was printed before it: one task's, or what an interrupt interrupts. */
function oneRun(at: When & {task?: number}, dropped: Deed): boolean {
  return at.cpu === dropped.cpu && (at.task === dropped.task || dropped.context > Context.task);
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

/** As in a recording of one task, which nothing tells: who else has the ring, or a worker, drops it too. */
const ONE_TASK: Doubt = {
  why: 'all events are of one task, or of none: another that has what it is pinned for may have dropped it',
};

/**
 * At the end no count is printed any more: who drops it may be an interrupt, unless it is long-term, and its owner's own to drop, or
 * its I/O was seen to be over long before.
 */
function atEnd({gupFlags, ioEnded, row}: Reference, {t}: When, {m, silence}: Court): Doubt | null {
  if (gupFlags >= 0 && m.capture.era.isLongterm(gupFlags) === true) return m.capture.hasSeveralTasks ? null : ONE_TASK;
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
    OF_MAPPINGS.owns({id: 'owns', link}, court).state === 'proven' &&
    ordered(at, window.close, court).state === 'proven' &&
    silence.lost(window.open.t, at.t) === null
  );
}

export const OF_REFERENCES: Provers<'held' | 'still-held' | 'last'> = {
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
        if (running !== undefined) return begun(running);
        const more = page.counted ? undefined : court.m.held.excess.after(page, reference.t);
        if (more === undefined) return proven(reference, drops[0]?.drop);
        return open(
          `line ${more.line} drops a pin that was not seen to be taken: what was dropped before may be of that one`,
          reference,
          more,
        );
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
};
