/**
 * Typed references: the heart of the ledger.
 *
 * Pinned is a property of a reference, not of a page (Jan Kara, 2018). A page holds references, each with a kind, a
 * taking and a dropping; whether the page is pinned is derived. The kinds that a verdict can turn on, pins and gets, are
 * kept one by one while they live; mappings, page cache and batches are told from the raw count.
 */
import type {KnownBy, ReferenceKind} from '../../base/reference.js';
import type {LineText} from '../../events/line-text.js';

/** Where and when something was done: enough to name it, to order it, and to show its line. */
export interface Deed {
  /** ns or ticks from the base; -Infinity for before the trace */
  t: number;
  cpu: number;
  /** index into Tasks */
  task: number;
  /** one of Context */
  context: number;
  input: number;
  line: number;
  text: LineText;
  /** index into Stacks, -1 */
  stack: number;
}

/** A drop, and from when on it was under way, as far as is known: its probe, or what its call did before. */
export interface Dropped {
  drop: Deed;
  from: number;
}

/** Most drops of such references that are kept: of one whose own may be an earlier one it is not told when it was held. */
const DROPS_MAX = 64;

/** References of one page of which drops did not tell which they dropped. */
export class Mixed {
  /** as many drops came as there were references: none was missed, and until the first of those it may be each was held */
  settled = false;
  /** a change that may have been a drop of one of them, although no probe says so */
  maybeDropped: Deed | undefined = undefined;
  /** when the first of them was taken: a drop that was missed since then leaves another of them */
  since = Infinity;
  /** in the order of the trace; by the clocks of their CPUs any may be the first */
  private readonly drops: Dropped[] = [];
  private forgotten = 0;
  /** by task and first sub-page: how many were among them */
  private readonly among = new Map<number, Map<number, number>>();
  /** how many of them are gone */
  gone = 0;
  /** the FOLL_* flags that they were taken with */
  readonly flags = new Set<number>();

  /** A reference may have been dropped from now on when another was. */
  joins({task, sub, n, gupFlags}: Reference): void {
    this.flags.add(gupFlags);
    let bySub = this.among.get(task);
    if (bySub === undefined) this.among.set(task, (bySub = new Map<number, number>()));
    bySub.set(sub, (bySub.get(sub) ?? 0) + n);
  }

  /** Whether one of its task and pages is left, whichever of all of them went. */
  leaves({task, sub}: Reference): boolean {
    return (this.among.get(task)?.get(sub) ?? 0) > this.gone;
  }

  /** Drops that there were until now. */
  get count(): number {
    return this.forgotten + this.drops.length;
  }

  add(drop: Deed, from: number): void {
    if (this.drops.push({drop, from}) <= DROPS_MAX) return;
    this.drops.shift();
    this.forgotten++;
  }

  /** Those from the `n`th on; none where one of them is forgotten. */
  from(n: number): readonly Dropped[] {
    return n < this.forgotten ? [] : this.drops.slice(n - this.forgotten);
  }
}

/** One pin or get, or several taken at once on one folio. */
export class Reference {
  /** next live one of the same page */
  next: Reference | undefined = undefined;
  /** references still held of those taken at once */
  n: number;
  /** index into Stacks, -1 */
  stack = -1;
  /** FOLL_* flags as traced; -1 not known */
  gupFlags = -1;
  /** the last writeback that cleaned the page while this was held */
  cleaned: Deed | undefined = undefined;
  /** a device-writable mapping was live under this reference after it was `cleaned` (at any time, when it was not) */
  deviceWrote = false;
  /** device of that mapping, index into the DMA tracker's; -1 none */
  device = -1;
  /** a mapping made under it ended: its I/O is over */
  ioEnded: Deed | undefined = undefined;
  /** by an event that names its device: an iommu:unmap event may be of another that has the same address */
  ioEndNamed = false;
  /** its request was for sectors of a block device, which drops the pins as it ends */
  ioOfSectors = false;
  /** its last drop, once it is not held any more */
  dropped: Deed | undefined = undefined;
  /** from when on it was under way, as far as is known: its probe, or what its call did before */
  droppedFrom = NaN;
  /** a change of the folio's count that may have been its drop, although no probe says so; of a get the first put of the page since */
  maybeDropped: Deed | undefined = undefined;
  /** no other reference could have been meant by that drop, nor by one before */
  dropCertain = false;
  /** the others of its page, once there was a drop that may have been this one's or another's */
  mixed: Mixed | undefined = undefined;
  /** how many drops of those there had been before: none of them was this one's */
  mixedAfter = 0;
  /** `sub` is the page that the probe named, a tail: its address alone would tell only where folios are mapped aligned */
  subNamed = false;
  /** `sub` is told by the probe itself or by the address of the call, not by what was mapped or dropped since */
  subCertain = true;
  /**
   * The pages that it is for, where all but one of their pins were dropped at once by who took them, and the one that stays is for all:
   * io_uring keeps one of a huge page (io_coalesce_buffer(), io_uring/rsrc.c); 0 where it is for as many as it counts.
   */
  whole = 0;
  /** entry of its taking, 0 none */
  entry = 0;
  /** number of the pin_user_pages call that took it, 0 unknown */
  call = 0;

  constructor(
    readonly kind: ReferenceKind,
    n: number,
    public knownBy: KnownBy,
    /** row of the folio's head in the page table */
    readonly row: number,
    /** first sub-page of those it still covers; -1 when only the folio is known */
    public sub: number,
    readonly t: number,
    readonly cpu: number,
    readonly task: number,
    readonly context: number,
    readonly input: number,
    readonly line: number,
    readonly text: LineText,
  ) {
    this.n = n;
  }

  /** How many pages it is for. */
  get span(): number {
    return this.whole || this.n;
  }

  /** Whether it is for a page of its large folio, as far as is known. */
  covers(pfn: number): boolean {
    return this.sub < 0 || (pfn >= this.sub && pfn < this.sub + this.span);
  }

  /** When it was taken, or the first of those that drops mix it up with: a drop that was missed since then leaves one of them. */
  get mixedSince(): number {
    return Math.min(this.t, this.mixed?.since ?? Infinity);
  }
}

// V8 represents a field by what it held first. A time that starts as a small integer and becomes a double later gives every
// reference and deed another hidden class then, and every function that touches them is compiled again.
const first = new Reference('pin', 1, 'probe', 0, 0.5, 0.5, 0, 0, 0, 0, 0, '');
first.cleaned = {t: 0.5, cpu: -1, task: -1, context: -1, input: 0, line: 0, text: '', stack: -1};
