/**
 * How close the good cases came: for the rules about order, the time from the end of DMA to the unpin, and from the unpin
 * to the next writeback. A driver whose smallest distance is 200 ns is one reordering away from a bug.
 */
import type {Listener} from '../ledger/listener.js';
import type {Model} from '../ledger/model.js';
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
  histogram: Map<number, number>;
}

export class NearMisses implements Listener {
  private readonly groups = new Map<string, Group>();
  /** the group of the pair before: pairs come in runs */
  private lastGroup: Group | undefined;
  private readonly lastUnmap = new Map<number, {t: number; opened: number; device: number; generation: number}>();
  private readonly lastUnpin = new Map<number, {t: number; stack: {stack: number}; generation: number}>();

  constructor(private readonly m: Model) {}

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
        if (this.lastUnmap.size > PENDING_MAX) this.forget(this.lastUnmap);
        this.lastUnmap.set(folio, {
          t: window.close.t,
          opened: window.open.t,
          device: window.device,
          generation: m.pages.generation[folio]!,
        });
      }
    }
  }

  dropped(drop: Parameters<NonNullable<Listener['dropped']>>[0]): void {
    if (drop.kind !== 'pin') return;
    const {m} = this;
    const {row, deed} = drop;
    const generation = m.pages.generation[row]!;
    const unmap = this.lastUnmap.get(row);
    const pin = drop.from[0]?.reference;
    if (m.pages.pins[row] === 0) this.lastUnmap.delete(row);
    if (unmap && pin && unmap.generation === generation && unmap.opened >= pin.t && deed.t >= unmap.t) {
      this.add(
        'unpin-while-dma',
        'DMA unmap to unpin',
        unmap.device,
        deed.stack,
        deed.t - unmap.t,
        row,
        deed.input,
        deed.line,
      );
    }
    if (m.pages.pins[row] === 0) {
      if (this.lastUnpin.size > PENDING_MAX) this.forget(this.lastUnpin);
      this.lastUnpin.set(row, {t: deed.t, stack: deed, generation});
    }
  }

  writebackStarted(row: number, writeback: Parameters<NonNullable<Listener['writebackStarted']>>[1]): void {
    const unpin = this.lastUnpin.get(row);
    if (!unpin) return;
    this.lastUnpin.delete(row);
    const {start} = writeback;
    if (unpin.generation !== this.m.pages.generation[row] || this.m.pages.pins[row]! > 0 || !writeback.exact) return;
    this.add(
      'writeback-while-pinned',
      'unpin to writeback',
      -1,
      unpin.stack.stack,
      start.t - unpin.t,
      row,
      start.input,
      start.line,
    );
  }

  private forget(pending: Map<number, unknown>): void {
    pending.clear();
    this.m.limits.hit('kept-by-rules', PENDING_MAX);
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
      group = {rule, what, device, stack, count: 0, min: Infinity, at: {pfn: 0, input, line}, histogram: new Map()};
      this.groups.set(`${rule}.${device}.${stack}`, group);
    }
    this.lastGroup = group;
    group.count++;
    if (distance < group.min) {
      group.min = distance;
      group.at = {pfn: this.m.pages.pfn[row]!, input, line};
    }
    const bucket = distance <= 0 ? -1 : Math.floor(Math.log2(distance) * STEPS);
    group.histogram.set(bucket, (group.histogram.get(bucket) ?? 0) + 1);
  }

  /** The closest first. Nothing on clocks that do not tell time. */
  result(): NearMiss[] {
    const {m} = this;
    if (m.time.unit === 'ticks') return [];
    return [...this.groups.values()]
      .sort((a, b) => a.min - b.min)
      .map((g) => ({
        rule: g.rule,
        what: g.what,
        device: g.device >= 0 ? m.dma.devices[g.device]!.name : null,
        stack: g.stack >= 0 ? m.stacks.get(g.stack) : null,
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
  for (const [bucket, n] of [...group.histogram].sort((a, b) => a[0] - b[0])) {
    left -= n;
    if (left <= 0) return bucket < 0 ? 0 : Math.round(2 ** ((bucket + 0.5) / STEPS));
  }
  return group.min;
}
