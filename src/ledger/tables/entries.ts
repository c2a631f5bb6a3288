/**
 * Entries: what happened to pages, one after the other, in columns of typed arrays. An id is a place in the columns; 0 is
 * none. An ending names the entry of its beginning.
 *
 * An entry belongs to a life: what lived at a PFN from its allocation to its free. Of a life of which only what lately
 * happened matters the first FIRST entries are kept and the last LAST; what was between is counted. An id may come to hold
 * another entry then: who keeps one over time says so (`hold`), or looks whether its line is still the one he means.
 */
import type {WindowOwner} from './dma.js';
import type {Excerpt, Life} from './life.js';
import {UNKNOWN_COUNT} from './page-table.js';
import type {KnownBy} from '../../base/reference.js';

/** What happened. */
export const What = {
  none: 0,
  allocated: 1,
  freed: 2,
  /** a change of the count that took or dropped nothing */
  change: 3,
  taken: 4,
  dropped: 5,
  mapped: 6,
  unmapped: 7,
  writebackBegun: 8,
  writebackEnded: 9,
  dirtied: 10,
  cleaned: 11,
  frozen: 12,
  unfrozen: 13,
  set: 14,
  enteredFile: 15,
  leftFile: 16,
  /** page_ref_mod_unless of a count of 0: nothing was taken */
  refused: 17,
  /** a mapping's end by the completion of its request, with no unmap */
  completed: 18,
  /** a mark of the user that names the page: trace_marker, trace_printk, a tracepoint of one's own */
  marked: 19,
} as const;

/** Which kind of reference was taken or dropped: known as such by the ledger, or not. */
export const Kind = {none: 0, pin: 1, get: 2} as const;

/** How the kind of a reference is known, by the number that an entry holds. */
export const KNOWN_BY: readonly KnownBy[] = ['probe', 'delta', 'stack', 'count', 'guess'];

/** How an ending was paired with its beginning, by the number that an entry holds; the first says nothing. */
export const HOW: readonly string[] = [
  '',
  'the only one',
  'same task',
  'the oldest',
  'same address and direction',
  'same page',
];

/** Under what a mapping was made, by the number that an entry holds. */
export const OWNERS: readonly WindowOwner[] = ['pin', 'get', 'writeback', 'ambiguous', 'none'];

/** Bits of `marks`. */
export const Mark = {
  /** of a large folio */
  large: 1 << 0,
  /** the event prints the page's state: flags, mappings */
  counted: 1 << 1,
  /** page_ref_mod_and_test ret=1 */
  lastReference: 1 << 2,
  /** page_ref_freeze ret=0 */
  failed: 1 << 3,
  /** of a reference: the count holds it, and no event showed it */
  unseen: 1 << 4,
  /** gone again without a drop */
  withdrawn: 1 << 5,
  /** a writeback's start or end as another event's flags show it */
  bound: 1 << 6,
  /** of a dirtying: folio_clear_dirty_for_io() marks the page itself */
  own: 1 << 7,
  /** several references were dropped at once: `parts` */
  parts: 1 << 8,
  /** more than one mapping could have been meant by the unmap */
  uncertain: 1 << 9,
  /** of an unmap: only a part of the mapping of the folio */
  part: 1 << 12,
  /** of a page of a block: freed with it */
  ofBlock: 1 << 10,
  /** of a reference: taken before the trace, as the first count of the page shows */
  before: 1 << 11,
} as const;

/** Entries of a life that matters while it lasts: the first and the last so many. */
const FIRST = 12;
const LAST = 36;
const FIRST_CAPACITY = 1 << 9;

/** One of several references that went in one drop. */
export interface Part {
  line: number;
  n: number;
}

export class Entries {
  /** entries in use */
  used = 0;
  /** entries not written, because there were too many */
  refused = 0;
  /** what marks say, by entry */
  readonly texts = new Map<number, string>();
  /** several references dropped at once, by entry */
  readonly parts = new Map<number, Part[]>();
  private capacity = FIRST_CAPACITY;
  private top = 1;
  private free = 0;

  what = new Uint8Array(FIRST_CAPACITY);
  /** of a reference one of Kind; of a mapping its direction (DmaDir) plus 1 */
  kind = new Uint8Array(FIRST_CAPACITY);
  /** of a reference index into KNOWN_BY; of a mapping into OWNERS */
  known = new Uint8Array(FIRST_CAPACITY);
  /** how it was paired, index into HOW */
  how = new Uint8Array(FIRST_CAPACITY);
  marks = new Uint16Array(FIRST_CAPACITY);
  t = new Float64Array(FIRST_CAPACITY);
  cpu = new Int16Array(FIRST_CAPACITY);
  /** index into Tasks, -1 */
  task = new Int32Array(FIRST_CAPACITY);
  /** one of Context */
  context = new Int8Array(FIRST_CAPACITY);
  input = new Int32Array(FIRST_CAPACITY);
  line = new Float64Array(FIRST_CAPACITY);
  /** change of the raw count; UNKNOWN_COUNT */
  delta = new Int32Array(FIRST_CAPACITY);
  /** raw count as printed; UNKNOWN_COUNT */
  raw = new Int32Array(FIRST_CAPACITY);
  /** the count that the changes so far give, where the printed one is another; UNKNOWN_COUNT */
  expected = new Int32Array(FIRST_CAPACITY);
  /** pins held after */
  pins = new Int32Array(FIRST_CAPACITY);
  /** PageFlag bits as printed */
  flags = new Int32Array(FIRST_CAPACITY);
  /** mapcount as printed; UNKNOWN_COUNT */
  mapcount = new Int32Array(FIRST_CAPACITY);
  /** lines since the folios_put_refs() call that it is in; 0 none */
  batch = new Int32Array(FIRST_CAPACITY);
  /** index into Stacks, -1 */
  stack = new Int32Array(FIRST_CAPACITY);
  /** entry of what it ends, 0; `began` is its line, if the entry is gone */
  beginning = new Int32Array(FIRST_CAPACITY);
  began = new Float64Array(FIRST_CAPACITY);
  /** references at once; value set, frozen at or refused; order of a block */
  n = new Int32Array(FIRST_CAPACITY);
  /** of a taking its FOLL_* flags, -1; of a drop those that nothing explains; of a mapping its device, -1; of a file its device */
  extra = new Int32Array(FIRST_CAPACITY);
  /** the page of the folio that it is about, -1 for the folio; of a file its inode */
  sub = new Float64Array(FIRST_CAPACITY);
  /** of a reference the line of its probe, 0 none; of a mapping its bytes; of a file the page index */
  detail = new Float64Array(FIRST_CAPACITY);
  /** which of its life's it is, counted from 1 */
  ordinal = new Int32Array(FIRST_CAPACITY);
  /** the next of its life, 0 */
  next = new Int32Array(FIRST_CAPACITY);
  /** excerpts that it is in, and 1 for its life */
  holders = new Int32Array(FIRST_CAPACITY);

  /** A new entry at the end of a life, with nothing known in it; 0 where no more are kept. */
  add(life: Life, what: number): number {
    life.added++;
    const id = this.take();
    if (id === 0) return 0;
    this.clear(id, what);
    this.ordinal[id] = life.added;
    if (life.last === 0) life.first = id;
    else this.next[life.last] = id;
    life.last = id;
    if (++life.kept === FIRST) life.gate = id;
    if (life.followed === undefined && life.kept > FIRST + LAST) this.evict(life);
    if (life.open !== undefined) this.extend(life, id);
    return id;
  }

  /** The life is over, or no longer matters: its entries are given back once nobody holds them. */
  end(life: Life): void {
    life.over = true;
    if (life.holders === 0 && life.followed === undefined) this.giveBack(life);
  }

  /**
   * The entries about a moment, held from here on: the last `before` until then, those of some lines, and the `after` that
   * follow.
   */
  hold(life: Life, at: number, before: number, after: number, decides: (id: number) => boolean): Excerpt {
    const {next, t, holders} = this;
    let until = 0;
    for (let id = life.first; id !== 0; id = next[id]!) if (t[id]! <= at) until = this.ordinal[id]!;
    const ids: number[] = [];
    let last = 0;
    for (let id = life.first; id !== 0; id = next[id]!) {
      const ordinal = this.ordinal[id]!;
      const near = ordinal > until - before && ordinal <= until + after;
      if (ordinal > until && near) last++;
      if (!near && !decides(id)) continue;
      ids.push(id);
      holders[id]!++;
    }
    life.holders++;
    // copied: an array that grew holds room for half as many again, and thousands may be held
    const excerpt: Excerpt = {life, ids: ids.slice(), left: Math.max(0, after - last)};
    if (excerpt.left > 0) (life.open ??= []).push(excerpt);
    return excerpt;
  }

  /** Nobody asks for them any more. */
  release(excerpt: Excerpt): void {
    const {life, ids} = excerpt;
    for (const id of ids) this.letGo(id);
    ids.length = 0;
    if (life.open?.includes(excerpt) === true) this.close(life, excerpt);
    if (--life.holders === 0 && life.over && life.followed === undefined) this.giveBack(life);
  }

  /** The entries of a life that are kept, oldest first. */
  *of(life: Life): Iterable<number> {
    for (let id = life.first; id !== 0; id = this.next[id]!) yield id;
  }

  /** Whether an id that was kept is still that of an entry of this line. */
  is(id: number, input: number, line: number): boolean {
    return id > 0 && this.line[id] === line && this.input[id] === input;
  }

  private extend(life: Life, id: number): void {
    for (const excerpt of [...life.open!]) {
      excerpt.ids.push(id);
      this.holders[id]!++;
      if (--excerpt.left <= 0) this.close(life, excerpt);
    }
  }

  private close(life: Life, excerpt: Excerpt): void {
    const open = life.open!.filter((other) => other !== excerpt);
    life.open = open.length > 0 ? open : undefined;
  }

  /** The entry after the first FIRST makes room. */
  private evict(life: Life): void {
    const old = this.next[life.gate]!;
    this.next[life.gate] = this.next[old]!;
    life.kept--;
    this.letGo(old);
  }

  private giveBack(life: Life): void {
    for (let id = life.first; id !== 0;) {
      const next = this.next[id]!;
      this.letGo(id);
      id = next;
    }
    life.first = life.gate = life.last = life.kept = 0;
  }

  private letGo(id: number): void {
    if (--this.holders[id]! > 0) return;
    if ((this.marks[id]! & Mark.parts) !== 0) this.parts.delete(id);
    this.line[id] = -1;
    this.next[id] = this.free;
    this.free = id;
    this.used--;
  }

  private take(): number {
    let id = this.free;
    if (id !== 0) this.free = this.next[id]!;
    else {
      if (this.top === this.capacity) {
        if (this.capacity >= ENTRIES_MAX) {
          this.refused++;
          return 0;
        }
        this.grow();
      }
      id = this.top++;
    }
    this.used++;
    return id;
  }

  private clear(id: number, what: number): void {
    this.what[id] = what;
    this.kind[id] = Kind.none;
    this.known[id] = 0;
    this.how[id] = 0;
    this.marks[id] = 0;
    this.delta[id] = UNKNOWN_COUNT;
    this.raw[id] = UNKNOWN_COUNT;
    this.expected[id] = UNKNOWN_COUNT;
    this.pins[id] = 0;
    this.flags[id] = 0;
    this.mapcount[id] = UNKNOWN_COUNT;
    this.batch[id] = 0;
    this.stack[id] = -1;
    this.beginning[id] = 0;
    this.began[id] = 0;
    this.n[id] = 0;
    this.extra[id] = -1;
    this.sub[id] = -1;
    this.detail[id] = 0;
    this.next[id] = 0;
    this.holders[id] = 1;
  }

  private grow(): void {
    this.capacity *= 2;
    const {capacity} = this;
    this.what = copied(this.what, new Uint8Array(capacity));
    this.kind = copied(this.kind, new Uint8Array(capacity));
    this.known = copied(this.known, new Uint8Array(capacity));
    this.how = copied(this.how, new Uint8Array(capacity));
    this.marks = copied(this.marks, new Uint16Array(capacity));
    this.t = copied(this.t, new Float64Array(capacity));
    this.cpu = copied(this.cpu, new Int16Array(capacity));
    this.task = copied(this.task, new Int32Array(capacity));
    this.context = copied(this.context, new Int8Array(capacity));
    this.input = copied(this.input, new Int32Array(capacity));
    this.line = copied(this.line, new Float64Array(capacity));
    this.delta = copied(this.delta, new Int32Array(capacity));
    this.raw = copied(this.raw, new Int32Array(capacity));
    this.expected = copied(this.expected, new Int32Array(capacity));
    this.pins = copied(this.pins, new Int32Array(capacity));
    this.flags = copied(this.flags, new Int32Array(capacity));
    this.mapcount = copied(this.mapcount, new Int32Array(capacity));
    this.batch = copied(this.batch, new Int32Array(capacity));
    this.stack = copied(this.stack, new Int32Array(capacity));
    this.beginning = copied(this.beginning, new Int32Array(capacity));
    this.began = copied(this.began, new Float64Array(capacity));
    this.n = copied(this.n, new Int32Array(capacity));
    this.extra = copied(this.extra, new Int32Array(capacity));
    this.sub = copied(this.sub, new Float64Array(capacity));
    this.detail = copied(this.detail, new Float64Array(capacity));
    this.ordinal = copied(this.ordinal, new Int32Array(capacity));
    this.next = copied(this.next, new Int32Array(capacity));
    this.holders = copied(this.holders, new Int32Array(capacity));
  }
}

/** Most entries at a time, 2^22 of some 110 bytes: memory must not follow a machine's pinned memory without bound. */
const ENTRIES_MAX = 1 << 22;

function copied<T extends {set(source: ArrayLike<number>): void}>(from: ArrayLike<number>, to: T): T {
  to.set(from);
  return to;
}
