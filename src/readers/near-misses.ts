/**
 * How close the good cases came: for the rules about order, the time from the end of DMA to the unpin, and from the unpin
 * to the next writeback. A driver whose smallest distance is 200 ns is one reordering away from a bug.
 */
import type {Drop, Listener} from '../ledger/listener.js';
import type {Ledger} from '../ledger/ledger.js';
import type {NearMiss} from '../results/report.js';

/** Values per power of two: percentiles are exact to about 3 %. */
const STEPS = 32;
/** Most groups (device and stack) told apart. */
const GROUPS_MAX = 500;
/** Pages of a physically contiguous run that are looked at: the others fare the same. */
const RUN_PAGES = 512;
/** Most pages of which the last event of a pair is kept. */
const PENDING_MAX = 200_000;

interface Group {
  rule: string;
  what: string;
  device: number;
  stack: number;
  count: number;
  min: number;
  at: {pfn: number; input: number; line: number};
  /** how many by bucket: none or less first, then `STEPS` a power of two */
  histogram: Uint32Array;
}

/** Distances below 2^64, and the bucket of those that are none. */
const BUCKETS = 64 * STEPS + 1;

/** By row of a folio: the end of the last mapping of it. */
class Unmaps {
  t = new Float64Array(0);
  opened = new Float64Array(0);
  device = new Int32Array(0);
  generation = new Float64Array(0);
  /** 1 where there is one */
  is = new Uint8Array(0);
  size = 0;

  set(row: number, t: number, opened: number, device: number, generation: number): void {
    if (row >= this.is.length) this.grow(row);
    if (this.is[row] === 0) this.size++;
    this.is[row] = 1;
    this.t[row] = t;
    this.opened[row] = opened;
    this.device[row] = device;
    this.generation[row] = generation;
  }

  delete(row: number): void {
    if (row >= this.is.length || this.is[row] === 0) return;
    this.is[row] = 0;
    this.size--;
  }

  clear(): void {
    this.is.fill(0);
    this.size = 0;
  }

  private grow(row: number): void {
    const length = Math.max(1024, row + 1, 2 * this.is.length);
    const {t, opened, device, generation, is} = this;
    (this.t = new Float64Array(length)).set(t);
    (this.opened = new Float64Array(length)).set(opened);
    (this.device = new Int32Array(length)).set(device);
    (this.generation = new Float64Array(length)).set(generation);
    (this.is = new Uint8Array(length)).set(is);
  }
}

/** By row of a folio: the drop of its last pin, and the generation of the page it was of. */
class Unpins {
  private readonly deeds: (Drop['deed'] | undefined)[] = [];
  private readonly generations: number[] = [];
  size = 0;

  set(row: number, deed: Drop['deed'], generation: number): void {
    const {deeds, generations} = this;
    while (deeds.length <= row) {
      deeds.push(undefined);
      generations.push(0);
    }
    if (deeds[row] === undefined) this.size++;
    deeds[row] = deed;
    generations[row] = generation;
  }

  /** The deed, if it was of that generation; it is forgotten. */
  take(row: number, generation: number): Drop['deed'] | undefined {
    const deed = row < this.deeds.length ? this.deeds[row] : undefined;
    if (deed === undefined) return undefined;
    this.deeds[row] = undefined;
    this.size--;
    return this.generations[row] === generation ? deed : undefined;
  }

  clear(): void {
    this.deeds.fill(undefined);
    this.size = 0;
  }
}

export class NearMisses implements Listener {
  private readonly groups = new Map<string, Group>();
  /** the group of the pair before: pairs come in runs */
  private lastGroup: Group | undefined;
  private readonly unmaps = new Unmaps();
  private readonly unpins = new Unpins();

  constructor(private readonly m: Ledger) {}

  dmaClosed(window: Parameters<NonNullable<Listener['dmaClosed']>>[0]): void {
    const {m} = this;
    if (window.iommuOnly || !window.close) return;
    let first = 0;
    for (const run of window.runs) {
      const n = run.pages;
      const at = first;
      first += n;
      for (let i = 0; i < n && i < RUN_PAGES; i++) {
        const row = window.rows[at + i]!;
        const folio = row < 0 ? -1 : m.pages.folioOf(row);
        if (folio < 0 || m.pages.pins[folio]! <= 0) continue;
        if (this.unmaps.size > PENDING_MAX) this.forget(this.unmaps);
        this.unmaps.set(folio, window.close.t, window.open.t, window.device, m.pages.generation[folio]!);
      }
    }
  }

  dropped(drop: Parameters<NonNullable<Listener['dropped']>>[0]): void {
    if (drop.kind !== 'pin') return;
    const {m} = this;
    const {row, deed} = drop;
    const generation = m.pages.generation[row]!;
    const {unmaps} = this;
    const last = m.pages.pins[row] === 0;
    if (row < unmaps.is.length && unmaps.is[row] === 1) {
      const pin = drop.from[0]?.reference;
      if (last) unmaps.delete(row);
      const t = unmaps.t[row]!;
      if (pin && unmaps.generation[row] === generation && unmaps.opened[row]! >= pin.t && deed.t >= t) {
        const device = unmaps.device[row]!;
        this.add('unpin-while-dma', 'DMA unmap to unpin', device, deed.stack, deed.t - t, row, deed.input, deed.line);
      }
    }
    if (last) {
      if (this.unpins.size > PENDING_MAX) this.forget(this.unpins);
      this.unpins.set(row, deed, generation);
    }
  }

  writebackStarted(row: number, writeback: Parameters<NonNullable<Listener['writebackStarted']>>[1]): void {
    const unpin = this.unpins.take(row, this.m.pages.generation[row]!);
    const {start} = writeback;
    if (!unpin || this.m.pages.pins[row]! > 0 || !writeback.exact) return;
    this.add(
      'writeback-while-pinned',
      'unpin to writeback',
      -1,
      unpin.stack,
      start.t - unpin.t,
      row,
      start.input,
      start.line,
    );
  }

  private forget(pending: Unmaps | Unpins): void {
    pending.clear();
    this.m.capture.limits.hit('kept-by-rules', PENDING_MAX);
  }

  private add(
    rule: string,
    what: string,
    device: number,
    stack: number,
    distance: number,
    row: number,
    input: number,
    line: number,
  ): void {
    let group = this.lastGroup;
    if (group === undefined || group.stack !== stack || group.device !== device || group.rule !== rule) {
      group = this.groups.get(`${rule}.${device}.${stack}`);
    }
    if (!group) {
      if (this.groups.size >= GROUPS_MAX) return;
      group = {
        rule,
        what,
        device,
        stack,
        count: 0,
        min: Infinity,
        at: {pfn: 0, input, line},
        histogram: new Uint32Array(BUCKETS),
      };
      this.groups.set(`${rule}.${device}.${stack}`, group);
    }
    this.lastGroup = group;
    group.count++;
    if (distance < group.min) {
      group.min = distance;
      group.at = {pfn: this.m.pages.pfn[row]!, input, line};
    }
    group.histogram[distance < 1 ? 0 : Math.floor(Math.log2(distance) * STEPS) + 1]!++;
  }

  /** The closest first. Nothing on clocks that do not tell time. */
  result(): NearMiss[] {
    const {m} = this;
    if (m.capture.time.unit === 'ticks') return [];
    return [...this.groups.values()]
      .sort((a, b) => a.min - b.min)
      .map((g) => ({
        rule: g.rule,
        what: g.what,
        device: g.device >= 0 ? m.dma.devices[g.device]!.name : null,
        stack: g.stack >= 0 ? m.evidence.stacks.get(g.stack) : null,
        count: g.count,
        min_ns: String(g.min),
        p1_ns: String(Math.max(g.min, percentile(g, 0.01))),
        p50_ns: String(Math.max(g.min, percentile(g, 0.5))),
        at: {pfn: `0x${g.at.pfn.toString(16)}`, input: g.at.input, line: g.at.line},
      }));
  }
}

function percentile(group: Group, share: number): number {
  let left = share * group.count;
  for (const [bucket, n] of group.histogram.entries()) {
    left -= n;
    if (n > 0 && left <= 0) return bucket === 0 ? 0 : Math.round(2 ** ((bucket - 0.5) / STEPS));
  }
  return group.min;
}
