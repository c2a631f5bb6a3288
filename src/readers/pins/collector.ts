/**
 * Who pins, how many, for how long: told by the ledger's takings and drops, kept as counts, histograms and the first few
 * of each order. Memory follows pins held and places that pin, not pins taken.
 */
import type {DmaWindow} from '../../ledger/tables/dma.js';
import type {Drop, Listener} from '../../ledger/listener.js';
import type {Ledger} from '../../ledger/ledger.js';
import {MIGRATE_CMA} from '../../ledger/tables/page-table.js';
import type {Reference} from '../../ledger/tables/references.js';
import type {HeldPin, Holder, PinsReport} from '../../results/pins.js';
import {EVERY_PIN, type PinChoice} from './choice.js';
import {LivePins} from './live.js';
import {Spread} from './spread.js';
import {Top} from './top.js';

/** Pins listed one by one: the longest held, the long-term ones. */
const LISTED_MAX = 200;
/** Tasks and stacks told apart; later ones share one entry. */
const HOLDERS_MAX = 5000;
/** Distinct pages remembered, over all holders: beyond it they are counted no more, which is said. */
const PAGES_MAX = 2_000_000;

interface Tally {
  pins: number;
  held: number;
  pages: Set<number>;
  hold: Spread;
}

/** One taking, as far as it matters after its drop. */
interface Listed {
  pin: Reference;
  pfn: number;
  order: number;
  held: number;
  end: number | null;
  cma: boolean | null;
}

export class PinCollector implements Listener {
  readonly live = new LivePins();
  /** drops that no pin in view explains, of pages whose whole life is in the trace */
  unexplained = 0;
  /** taken here and gone with their page, or taken back by the call itself */
  private gone = 0;
  private droppedHere = 0;
  /** pages that were not counted, because there were too many */
  pagesNotCounted = 0;
  private takings = 0;
  private unpins = 0;
  private fromBefore = 0;
  private longtermPins = 0;
  private longtermInCma = 0;
  private remembered = 0;
  private readonly pages = new Set<number>();
  private readonly tasks = new Map<number, Tally>();
  private readonly stacks = new Map<number, Tally>();
  private readonly hold = new Spread();
  private readonly unmaps = new Map<number, Spread>();
  /** pins that count and are held, with how many of each still are */
  private readonly held = new Map<Reference, number>();
  /** pins that would count, if a device that is asked for mapped their pages */
  private readonly unmapped = new Set<Reference>();
  /** by row: the last unmap under its pins */
  private readonly lastUnmap = new Map<number, {t: number; opened: number; device: number}>();
  private readonly longest = new Top<Listed>(LISTED_MAX, (a, b) => a.held > b.held);
  private readonly longterm = new Top<Listed>(LISTED_MAX, (a, b) =>
    (a.cma === true) === (b.cma === true) ? a.held > b.held : a.cma === true,
  );

  constructor(
    private readonly m: Ledger,
    private readonly choice: PinChoice,
  ) {}

  taken(row: number, pin: Reference): void {
    if (pin.kind !== 'pin' || !this.choice.taking(pin)) return;
    if (this.choice.device !== undefined) this.unmapped.add(pin);
    else this.count(row, pin);
  }

  dmaOpened(window: DmaWindow): void {
    if (this.unmapped.size === 0 || window.device < 0 || this.choice.device?.(window.device) !== true) return;
    const {pages} = this.m;
    for (const row of window.rows) {
      const folio = row < 0 ? -1 : pages.folioOf(row);
      if (folio < 0) continue;
      for (let r = pages.references[folio]; r; r = r.next) if (this.unmapped.delete(r)) this.count(folio, r);
    }
  }

  private count(row: number, pin: Reference): void {
    this.held.set(pin, pin.n);
    this.live.change(this.m.capture.now, pin.n);
    if (!Number.isFinite(pin.t)) return; // from before the trace: held, but not taken here
    this.takings += pin.n;
    const tally = this.tally(this.tasks, pin.task);
    tally.pins += pin.n;
    this.page(this.pages, row);
    this.page(tally.pages, row);
    if (this.isLongterm(pin)) {
      this.longtermPins += pin.n;
      if (this.inCma(row) === true) this.longtermInCma += pin.n;
    }
  }

  dropped(drop: Drop): void {
    if (drop.kind !== 'pin') return;
    const {row, deed} = drop;
    let counted = 0;
    for (const {reference, n} of drop.from) {
      if (reference.n <= 0) this.unmapped.delete(reference);
      if (!this.held.has(reference)) continue;
      counted += n;
      this.release(reference, n, deed.t, true);
      if (!Number.isFinite(reference.t)) this.fromBefore += n;
      this.distance(row, reference, deed.t);
    }
    // Drops that no known pin explains count where no pin is left out.
    if (drop.unmatched > 0 && this.everyPin) {
      counted += drop.unmatched;
      if (!this.m.pages.is(row, 'lifeSeen')) this.fromBefore += drop.unmatched;
      else this.unexplained += drop.unmatched;
    }
    this.unpins += counted;
    if (this.m.pages.pins[row] === 0) this.lastUnmap.delete(row);
  }

  withdrawn(pin: Reference, n: number): void {
    if (pin.n <= 0) this.unmapped.delete(pin);
    if (pin.kind === 'pin' && this.held.has(pin)) this.release(pin, n, this.m.capture.now, false);
  }

  freed(row: number): void {
    for (let r = this.m.pages.references[row]; r; r = r.next) {
      this.unmapped.delete(r);
      if (this.held.has(r)) this.release(r, this.held.get(r)!, this.m.capture.now, false);
    }
    this.lastUnmap.delete(row);
  }

  dmaClosed(window: DmaWindow): void {
    if (window.iommuOnly || !window.close || window.device < 0) return;
    const {pages} = this.m;
    let first = 0;
    for (const run of window.runs) {
      const n = run.pages;
      for (let i = 0; i < n; i++) {
        const row = window.rows[first + i]!;
        const folio = row < 0 ? -1 : pages.folioOf(row);
        if (folio >= 0 && pages.pins[folio]! > 0)
          this.lastUnmap.set(folio, {t: window.close.t, opened: window.open.t, device: window.device});
      }
      first += n;
    }
  }

  /** No taking was left out by the choice so far. */
  private get everyPin(): boolean {
    return this.choice === EVERY_PIN;
  }

  private release(pin: Reference, n: number, t: number, dropped: boolean): void {
    const left = this.held.get(pin)! - n;
    if (left > 0) this.held.set(pin, left);
    else this.held.delete(pin);
    this.live.change(t, -n);
    if (!Number.isFinite(pin.t)) return;
    const stack = this.stackTally(pin, n);
    if (!dropped) {
      this.gone += n;
      return;
    }
    this.droppedHere += n;
    const held = t - pin.t;
    this.hold.add(held, n);
    this.tally(this.tasks, pin.task).hold.add(held, n);
    stack?.hold.add(held, n);
    this.list(pin, held, t);
  }

  /** A stack comes after its event: it is known by the time the pin is dropped, or the trace ends. */
  private stackTally(pin: Reference, n: number): Tally | undefined {
    if (pin.stack < 0) return undefined;
    const tally = this.tally(this.stacks, pin.stack);
    tally.pins += n;
    this.page(tally.pages, pin.row);
    return tally;
  }

  private list(pin: Reference, held: number, end: number | null): void {
    const {pages} = this.m;
    const {row} = pin;
    const large = pages.is(row, 'large');
    const listed: Listed = {
      pin,
      pfn: pin.sub >= 0 ? pin.sub : pages.pfn[row]!,
      order: large && pin.sub < 0 ? pages.order[row]! : 0,
      held,
      end,
      cma: this.inCma(row),
    };
    this.longest.add(listed);
    if (this.isLongterm(pin)) this.longterm.add(listed);
  }

  private distance(row: number, pin: Reference, t: number): void {
    const unmap = this.lastUnmap.get(row);
    if (!unmap || unmap.opened < pin.t || t < unmap.t) return;
    let spread = this.unmaps.get(unmap.device);
    if (!spread) this.unmaps.set(unmap.device, (spread = new Spread()));
    spread.add(t - unmap.t);
  }

  private isLongterm(pin: Reference): boolean {
    return pin.gupFlags >= 0 && this.m.capture.era.isLongterm(pin.gupFlags) === true;
  }

  /** null where the trace does not print migratetypes, or where 4 may mean "isolate". */
  private inCma(row: number): boolean | null {
    const migratetype = this.m.pages.migratetype[row]!;
    if (migratetype < 0) return null;
    if (migratetype !== MIGRATE_CMA) return false;
    return this.m.capture.era.cmaKnown ? true : null;
  }

  private tally(map: Map<number, Tally>, key: number): Tally {
    const wanted = map.has(key) || map.size < HOLDERS_MAX ? key : -1;
    let tally = map.get(wanted);
    if (!tally) map.set(wanted, (tally = {pins: 0, held: 0, pages: new Set(), hold: new Spread()}));
    return tally;
  }

  private page(set: Set<number>, row: number): void {
    if (set.has(row)) return;
    if (this.remembered >= PAGES_MAX) {
      this.pagesNotCounted++;
      return;
    }
    this.remembered++;
    set.add(row);
  }

  /** Once the trace is read. */
  result(): Pick<
    PinsReport,
    'totals' | 'live' | 'tasks' | 'stacks' | 'hold' | 'unmap_to_unpin' | 'longest' | 'longterm'
  > {
    const {m} = this;
    const timed = m.capture.time.unit === 'ns';
    let heldAtEnd = 0;
    let heldFromBefore = 0;
    for (const [pin, n] of this.held) {
      heldAtEnd += n;
      if (!Number.isFinite(pin.t)) {
        heldFromBefore += n;
        continue;
      }
      this.tally(this.tasks, pin.task).held += n;
      const stack = this.stackTally(pin, n);
      if (stack) stack.held += n;
      this.list(pin, m.capture.last - pin.t, null);
    }
    const holders = (map: Map<number, Tally>, name: (key: number) => Pick<Holder, 'task' | 'stack'>): Holder[] =>
      [...map]
        .sort((a, b) => b[1].pins - a[1].pins || b[1].pages.size - a[1].pages.size)
        .map(([key, {pins, pages, held, hold}]) => ({
          ...name(key),
          pins,
          pages: pages.size,
          held_at_end: held,
          hold: timed ? hold.result() : null,
        }));
    return {
      totals: {
        pins: this.takings,
        pages: this.pages.size,
        unpins: this.unpins,
        from_before: this.fromBefore,
        held_at_end: heldAtEnd,
        held_from_before: heldFromBefore,
        dropped_here: this.droppedHere,
        gone: this.gone,
        unexplained: this.unexplained,
        longterm: this.longtermPins,
        longterm_in_cma: this.longtermInCma,
      },
      live: this.live.result(m),
      tasks: holders(this.tasks, (key) => ({task: this.taskOf(key), stack: null})),
      stacks: holders(this.stacks, (key) => ({task: null, stack: m.evidence.stacks.get(key)})),
      hold: timed ? this.hold.result() : null,
      unmap_to_unpin: timed
        ? [...this.unmaps].map(([device, times]) => ({device: m.dma.devices[device]!.name, times: times.result()!}))
        : [],
      longest: this.longest.result().map((listed) => this.heldPin(listed)),
      longterm: this.longterm.result().map((listed) => this.heldPin(listed)),
    };
  }

  private heldPin({pin, pfn, order, held, end, cma}: Listed): HeldPin {
    const {m} = this;
    const timed = m.capture.time.unit === 'ns';
    return {
      pfn: `0x${pfn.toString(16)}`,
      order,
      task: this.taskOf(pin.task),
      start_ns: timed ? String(m.capture.time.absolute(pin.t)) : null,
      end_ns: timed && end !== null ? String(m.capture.time.absolute(end)) : null,
      held_ns: timed ? String(held) : null,
      input: pin.input,
      line: pin.line,
      stack: pin.stack >= 0 ? m.evidence.stacks.get(pin.stack) : null,
      cma,
    };
  }

  private taskOf(task: number): Holder['task'] {
    if (task < 0) return null;
    const {comm, pid} = this.m.evidence.tasks.get(task);
    return {comm, pid};
  }
}
