/**
 * The one writer of entries: what happened to a page is written down once, when it happens, by the tracker that understands
 * the event. Findings and `pinscope history` read it.
 *
 * Only pages that matter have entries (they hold a pin or get, or are mapped or written back under one), and those that are
 * followed. For all others every question here ends at once.
 */
import {EventKind as K, type TraceEvent} from '../events/event.js';
import type {Drop} from './listener.js';
import type {DmaLink, DmaWindow} from './tables/dma.js';
import {Entries, HOW, Kind, KNOWN_BY, Mark, OWNERS, What} from './tables/entries.js';
import type {Evidence} from './tables/evidence.js';
import type {Excerpt, Life} from './tables/life.js';
import {Lives} from './lives.js';
import {type PageTable, PageState} from './tables/page-table.js';
import type {Deed, Reference} from './tables/references.js';
import type {Writeback} from './tables/writeback.js';

/** How much of a life a finding shows: so many entries up to its moment, and so many after it. */
const BEFORE = 7;
const AFTER = 4;

/** Where an entry comes from: an event, or a deed of before. */
type Source = Pick<Deed, 't' | 'cpu' | 'context' | 'input' | 'line'>;

export class Book {
  readonly entries = new Entries();
  readonly lives: Lives;
  // the entry of the page_ref event at hand, once it has one
  private atRow = -1;
  private atEntry = 0;

  constructor(
    private readonly pages: PageTable,
    private readonly evidence: Evidence,
  ) {
    this.lives = new Lives(pages, this.entries);
    evidence.onEntries = (ids, stack) => {
      for (const id of ids) this.entries.stack[id] = stack;
    };
  }

  // --- the count

  /** A page_ref event that changed a count, once all that can be known of it is. */
  counted(row: number, ev: TraceEvent, delta: number, batch: number): void {
    const {entries, pages} = this;
    let id = this.entryAt(row, ev);
    if (id === 0) {
      const life = pages.lives[row];
      if (life !== undefined && life.followed === undefined && life.open === undefined && !pages.matters(row)) {
        this.lives.end(row);
        return;
      }
      id = this.write(row, delta > 0 ? What.taken : delta < 0 ? What.dropped : What.change, ev, false);
      if (id === 0) return;
    }
    this.print(id, ev);
    entries.delta[id] = delta;
    entries.pins[id] = pages.pins[row]!;
    if (batch !== 0) entries.batch[id] = ev.line - batch;
    if (ev.kind === K.RefModAndTest && ev.hasRet !== 0 && ev.ret === 1) entries.marks[id]! |= Mark.lastReference;
    const state = pages.state[row]!;
    if ((state & PageState.large) !== 0) entries.marks[id]! |= Mark.large;
    if ((state & PageState.mismatch) !== 0) entries.expected[id] = pages.expect[row]!;
  }

  /** A page_ref event that set a count, froze or unfroze it, or found that it could not. */
  setTo(row: number, ev: TraceEvent): void {
    const failed = ev.hasRet !== 0 && ev.ret === 0;
    const what =
      ev.kind === K.RefSet
        ? What.set
        : ev.kind === K.RefUnfreeze
          ? What.unfrozen
          : ev.kind === K.RefFreeze
            ? What.frozen
            : What.refused;
    const id = this.write(row, what, ev, false);
    if (id === 0) return;
    this.print(id, ev);
    this.entries.n[id] = ev.val;
    if (what === What.frozen && failed) this.entries.marks[id]! |= Mark.failed;
  }

  /** What a page_ref event prints of the page. */
  private print(id: number, ev: TraceEvent): void {
    const {entries} = this;
    entries.marks[id]! |= Mark.counted;
    if (ev.hasCount !== 0) entries.raw[id] = ev.count;
    entries.flags[id] = ev.pageFlags;
    if (ev.hasMapcount !== 0) entries.mapcount[id] = ev.mapcount;
  }

  // --- references

  /** A reference was taken. `probe`: line of the probe that announced it, 0 none. */
  taken(row: number, reference: Reference, probe: number): void {
    const id = this.typed(row, What.taken, reference, reference.task);
    if (id === 0) return;
    this.ofReference(id, row, reference);
    this.entries.detail[id] = probe;
  }

  /** Pins that the count holds and no event showed; `before`: the first count of the page says so. */
  derived(row: number, reference: Reference, ev: TraceEvent, before: boolean): void {
    const id = this.write(row, What.taken, ev, true);
    if (id === 0) return;
    this.ofReference(id, row, reference);
    this.entries.marks[id]! |= before ? Mark.before : Mark.unseen;
  }

  private ofReference(id: number, row: number, reference: Reference): void {
    const {entries, pages} = this;
    reference.entry = id;
    entries.kind[id] = reference.kind === 'pin' ? Kind.pin : Kind.get;
    entries.known[id] = KNOWN_BY.indexOf(reference.knownBy);
    entries.n[id] = reference.n;
    entries.extra[id] = reference.gupFlags;
    entries.sub[id] = reference.sub === pages.pfn[row] ? -1 : reference.sub;
    entries.pins[id] = pages.pins[row]!;
    this.lives.begins(pages.lives[row], reference);
  }

  /** How the kind of a reference is known has changed. */
  knownBetter(reference: Reference): void {
    if (this.entries.is(reference.entry, reference.input, reference.line))
      this.entries.known[reference.entry] = KNOWN_BY.indexOf(reference.knownBy);
  }

  /** References were dropped; `counted`: by a page_ref event. */
  dropped(drop: Drop, counted: boolean): void {
    const {row, from, deed} = drop;
    const id = this.typed(row, What.dropped, deed, deed.task);
    if (id === 0) return;
    const {entries, pages} = this;
    const [first] = from;
    entries.kind[id] = drop.kind === 'pin' ? Kind.pin : Kind.get;
    const large = (pages.state[row]! & PageState.large) !== 0;
    const known =
      drop.probe !== undefined || !counted
        ? 'probe'
        : first?.reference.knownBy === 'guess'
          ? 'guess'
          : drop.kind === 'get'
            ? 'count'
            : large
              ? 'stack'
              : 'delta';
    entries.known[id] = KNOWN_BY.indexOf(known);
    entries.how[id] = Math.max(0, HOW.indexOf(drop.paired));
    entries.n[id] = drop.n;
    entries.extra[id] = drop.unmatched;
    entries.detail[id] = drop.probe?.line ?? 0;
    entries.pins[id] = pages.pins[row]!;
    if (first !== undefined && first.reference.line > 0) this.ends(id, first.reference.entry, first.reference.line);
    if (from.length > 1 || (first !== undefined && first.n < drop.n)) {
      entries.marks[id]! |= Mark.parts;
      entries.parts.set(
        id,
        from.map(({reference, n}) => ({line: reference.line, n})),
      );
    }
  }

  /** A reference is gone without a drop: its grab was undone, it was of another kind, or events are missing. */
  withdrawn(reference: Reference): void {
    const {entries, pages} = this;
    if (reference.n > 0) return;
    const {entry, row} = reference;
    const before = (entries.marks[entry]! & (Mark.before | Mark.unseen)) !== 0 && reference.line === 0;
    if (before || entries.is(entry, reference.input, reference.line)) entries.marks[entry]! |= Mark.withdrawn;
    this.lives.never(pages.lives[row], reference);
  }

  // --- mappings

  /** Pages of a folio came under a mapping, from `pfn` on at most `run`. Answers the entry, 0 where none is written. */
  mapped(row: number, link: DmaLink, pfn: number, run: number): number {
    const {window} = link;
    const {entries, pages: table} = this;
    const size = (table.state[row]! & PageState.large) !== 0 ? 1 << table.order[row]! : 1;
    const pages = Math.min(run, table.pfn[row]! + size - pfn);
    const first = this.firstFollowed(row, pfn, pages);
    if (first < 0) return 0;
    const life = this.lives.of(row, What.mapped, false);
    if (life === undefined) return 0;
    const id = this.append(life, row, What.mapped, window.open, window.open.task);
    if (id === 0) return 0;
    link.life = life;
    link.entry = id;
    window.written = true;
    entries.kind[id] = window.dir + 1;
    entries.known[id] = OWNERS.indexOf(link.owner);
    entries.extra[id] = window.device;
    entries.detail[id] = window.size;
    entries.sub[id] = first === table.pfn[row] ? -1 : first;
    entries.n[id] = pages - (first - pfn);
    this.lives.begins(life, window);
    return id;
  }

  /** Of a folio that is followed for some of its pages only: the first of these; -1 where none is. */
  private firstFollowed(row: number, pfn: number, pages: number): number {
    const life = this.pages.lives[row];
    if (life !== undefined && life.followed === undefined) return pfn;
    if (this.lives.follows === undefined) return -1;
    for (const first of this.lives.follows.within(pfn, pages)) return first;
    return -1;
  }

  /**
   * A mapping of a page is over, by its unmap or by the completion of its request. `same`: the page is that which was mapped;
   * `rest`: only a part of a larger mapping, which still covers other pages of the folio.
   */
  unmapped(row: number, window: DmaWindow, link: DmaLink, same: boolean, rest: boolean): void {
    const {entries} = this;
    const {entry} = link;
    const {close} = window;
    const now = this.pages.lives[row];
    // After the page is gone its mapping's end still belongs to it.
    const life = same && now?.followed === undefined ? (now ?? link.life) : link.life;
    if (life === undefined || close === undefined) return;
    if (life.over && life.followed === undefined && life.holders === 0) return;
    const id = this.append(
      life,
      row,
      window.endedBy === 'completion' ? What.completed : What.unmapped,
      close,
      close.task,
    );
    if (id === 0) return;
    entries.extra[id] = window.device;
    entries.kind[id] = window.dir + 1;
    if (entries.is(entry, window.open.input, window.open.line)) {
      entries.sub[id] = entries.sub[entry]!;
      entries.n[id] = entries.n[entry]!;
    }
    if (rest) {
      entries.marks[id]! |= Mark.part;
      entries.detail[id] = window.size;
      return;
    }
    if (window.certainEnd) entries.how[id] = HOW.indexOf('same address and direction');
    else entries.marks[id]! |= Mark.uncertain;
    this.ends(id, entry, window.open.line);
    this.lives.stands(life, window);
  }

  /** What was written as a mapping is none: its call failed, or another event tells it better. */
  unmade(link: DmaLink, failed: boolean): void {
    const {entries} = this;
    const {life, entry, window} = link;
    if (life === undefined || !entries.is(entry, window.open.input, window.open.line)) return;
    entries.marks[entry]! |= failed ? Mark.failed : Mark.withdrawn;
    this.lives.never(life, window);
  }

  // --- writeback, dirtiness, file

  writebackBegun(row: number, ev: TraceEvent, writeback: Writeback, matters: boolean): void {
    const id = this.write(row, What.writebackBegun, ev, matters);
    if (id === 0) return;
    writeback.entry = id;
    if (!writeback.exact) this.entries.marks[id]! |= Mark.bound;
    this.lives.begins(this.pages.lives[row], writeback);
  }

  writebackEnded(row: number, ev: TraceEvent, writeback: Writeback): void {
    const id = this.write(row, What.writebackEnded, ev, false);
    if (id === 0) return;
    if (!writeback.exact || writeback.endUnseen) this.entries.marks[id]! |= Mark.bound;
    this.entries.how[id] = HOW.indexOf('same page');
    this.ends(id, writeback.entry, writeback.start.line);
  }

  /** `own`: folio_clear_dirty_for_io() marks the page itself, as folio_mkclean() found dirty PTEs. */
  dirtied(row: number, ev: TraceEvent, own: boolean): void {
    const id = this.write(row, What.dirtied, ev, false);
    if (id !== 0 && own) this.entries.marks[id]! |= Mark.own;
  }

  cleaned(row: number, ev: TraceEvent): void {
    this.write(row, What.cleaned, ev, false);
  }

  file(row: number, ev: TraceEvent, index: number): void {
    const id = this.write(row, ev.kind === K.CacheAdd ? What.enteredFile : What.leftFile, ev, false);
    if (id === 0) return;
    this.entries.extra[id] = ev.devId | 0;
    this.entries.sub[id] = ev.ino;
    this.entries.detail[id] = index;
  }

  // --- lives

  allocated(row: number, ev: TraceEvent): void {
    const id = this.write(row, What.allocated, ev, false);
    if (id !== 0) this.entries.n[id] = ev.order;
  }

  /** The life of a page is about to end by this event. `head`: the first page of the block that is freed. */
  freed(row: number, ev: TraceEvent, head: number): void {
    const tail = this.pages.pfn[row] !== head;
    // a tail that had no life of its own goes with its head
    if (tail && this.pages.lives[row] === undefined) return;
    if (this.pages.lives[row] === undefined && this.lives.follows?.touches(head, 2 ** Math.max(0, ev.order)) === true)
      this.lives.follow(row, What.freed);
    const id = this.write(row, What.freed, ev, false);
    if (id === 0) return;
    this.entries.n[id] = ev.order;
    const followed = this.pages.lives[row]!.followed;
    if (followed !== undefined && !tail && ev.order >= followed.order) {
      followed.order = ev.order;
      followed.orderKnown = true;
    }
    if (!tail) return;
    this.entries.marks[id]! |= Mark.ofBlock;
    this.entries.sub[id] = head;
  }

  /** The life that a row held is over. `half`: by the other half of an allocation that began it. */
  lifeEnded(row: number, t: number, freed: boolean, half: boolean): void {
    const life = this.pages.lives[row];
    if (life === undefined) return;
    if (half && life.added === 1 && this.entries.what[life.first] === What.set) return;
    if (life.followed !== undefined) {
      life.followed.died = freed ? 'free' : 'reused';
      life.followed.end = t;
    }
    this.lives.end(row);
  }

  /** A mark of the user names a page that is followed. Between two pages of a place it stands with the one before. */
  marked(pfn: number, ev: TraceEvent, text: string): void {
    const {pages} = this;
    const row = pages.findFolio(pfn);
    const at = row < 0 ? pfn : pages.pfn[row]!;
    const life = this.lives.at(row, at);
    const id = this.append(life, row, What.marked, ev, this.evidence.tasks.of(ev));
    if (id !== 0) this.entries.texts.set(id, text);
  }

  /**
   * What happened about a moment, and at some lines, held for a finding until it is released; undefined where nothing is
   * written down of the page.
   */
  about(row: number, at: number, linesOf: () => readonly {input: number; line: number}[]): Excerpt | undefined {
    const life = this.pages.lives[row];
    // a followed life is read whole, not in excerpts
    if (life === undefined || life.followed !== undefined) return undefined;
    const {entries} = this;
    // asked only where an entry is not near the moment anyway
    let lines: ReturnType<typeof linesOf> | undefined;
    return entries.hold(life, at, BEFORE, AFTER, (id) => {
      lines ??= linesOf();
      return lines.some(({input, line}) => entries.line[id] === line && entries.input[id] === input);
    });
  }

  // --- writing

  private ends(id: number, beginning: number, line: number): void {
    const {entries} = this;
    entries.began[id] = line;
    if (entries.line[beginning] === line) entries.beginning[id] = beginning;
  }

  /** The entry that the event at hand is for a page, 0. */
  private entryAt(row: number, {line, input}: Source): number {
    const {atEntry, entries} = this;
    return this.atRow === row && entries.is(atEntry, input, line) ? atEntry : 0;
  }

  /** The entry of an event or deed that is now understood: that of the event at hand or the last of its CPU, or a new one. */
  private typed(row: number, what: number, source: Source, task: number): number {
    const {entries} = this;
    const at = this.entryAt(row, source);
    if (at !== 0) return at;
    for (const id of this.evidence.entriesOf(source.cpu))
      if (entries.is(id, source.input, source.line) && entries.what[id] === what) return id;
    const life = this.lives.of(row, what, true);
    if (life === undefined) return 0;
    this.atRow = row;
    this.atEntry = this.append(life, row, what, source, task);
    return this.atEntry;
  }

  /** `begin`: the page matters from here on, if it did not. */
  private write(row: number, what: number, ev: TraceEvent, begin: boolean): number {
    const life = this.lives.of(row, what, begin);
    return life === undefined ? 0 : this.append(life, row, what, ev, this.evidence.tasks.of(ev));
  }

  private append(life: Life, row: number, what: number, source: Source, task: number): number {
    const {entries, pages} = this;
    const large = row >= 0 && (pages.state[row]! & PageState.large) !== 0;
    if (life.followed !== undefined && !this.lives.takesIn(life, row, large)) return 0;
    const id = entries.add(life, what);
    if (id === 0) return 0;
    const {t, cpu, context, input, line} = source;
    entries.t[id] = t;
    entries.cpu[id] = cpu;
    entries.context[id] = context;
    entries.input[id] = input;
    entries.line[id] = line;
    entries.task[id] = task;
    entries.pins[id] = life.over || row < 0 ? 0 : pages.pins[row]!;
    if (large) entries.marks[id] = Mark.large;
    this.evidence.entry(source, id);
    return id;
  }
}
