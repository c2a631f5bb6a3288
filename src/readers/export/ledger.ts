/**
 * What happened to pages, told as rows while the trace is read. Rows leave when what they tell is over, so memory follows
 * live references, mappings and the pages that hold them, not the trace.
 */
import type {DmaWindow, WindowOwner} from '../../ledger/tables/dma.js';
import type {Drop, Listener} from '../../ledger/listener.js';
import type {Ledger} from '../../ledger/ledger.js';
import type {Deed, Reference} from '../../ledger/tables/references.js';
import type {Writeback} from '../../ledger/tables/writeback.js';
import {DIRECTIONS} from '../../words/direction.js';
import {deviceText} from '../../words/file.js';
import type {Row, TableName} from './schema.js';

/** Where rows go. */
export interface RowSink {
  add<T extends TableName>(table: T, row: Row<T>): void;
  /** Whether rows of a table are wanted at all. */
  wants(table: TableName): boolean;
}

type Life = Row<'lives'> & {generation: number};

export class LedgerRows implements Listener {
  private readonly lives = new Map<number, Life>();
  private readonly refs = new Map<Reference, {id: number; part: number}>();
  private readonly windows = new Map<DmaWindow, number>();
  private nextLife = 0;
  private nextRef = 0;
  private nextWindow = 0;
  private readonly pagesWanted: boolean;

  constructor(
    private readonly m: Ledger,
    private readonly out: RowSink,
  ) {
    this.pagesWanted = out.wants('dma_pages');
  }

  taken(row: number, reference: Reference): void {
    this.refs.set(reference, {id: this.nextRef++, part: 0});
    this.life(row);
  }

  dropped(drop: Drop): void {
    for (const {reference, n} of drop.from) this.close(reference, n, 'dropped', drop.deed, drop.paired);
    if (drop.unmatched === 0) return;
    const {pages} = this.m;
    this.out.add('refs', {
      ref_id: this.nextRef++,
      part: 0,
      kind: drop.kind,
      n: drop.unmatched,
      known_by: null,
      life_id: this.life(drop.row).life_id,
      pfn: drop.sub,
      folio_pfn: pages.pfn[drop.row]!,
      folio_order: pages.order[drop.row]!,
      taken: null,
      ended: 'dropped-unmatched',
      dropped: drop.deed,
      held_ns: null,
      paired: drop.paired,
      gup_flags: null,
      device_id: null,
      request_id: null,
    });
  }

  withdrawn(reference: Reference, n: number): void {
    this.close(reference, n, 'withdrawn', null, null);
  }

  freed(row: number, deed: Deed, seen: boolean): void {
    for (let r = this.m.pages.references[row]; r; r = r.next) {
      this.close(r, r.n, seen ? 'page-freed' : 'page-reused', deed, null);
      this.refs.delete(r);
    }
  }

  lifeEnded(row: number, t: number, freed: boolean): void {
    const life = this.lives.get(row);
    if (life === undefined) return;
    this.lives.delete(row);
    this.out.add('lives', {...life, ended_ns: t, ended: freed ? 'freed' : 'reused'});
  }

  dmaOpened(window: DmaWindow): void {
    const id = this.nextWindow++;
    this.windows.set(window, id);
    if (!this.pagesWanted) return;
    const {pages} = this.m;
    let at = 0;
    for (const run of window.runs) {
      for (let i = 0; i < run.pages; i++) {
        const row = window.rows[at++]!;
        if (row < 0) continue;
        const {life_id} = this.life(pages.folioOf(row));
        this.out.add('dma_pages', {window_id: id, life_id, pfn: run.pfn + i, owner: this.ownerOf(row, window)});
      }
    }
  }

  dmaClosed(window: DmaWindow): void {
    this.closeWindow(window, 'unmapped');
  }

  writebackEnded(row: number, writeback: Writeback): void {
    const {start, end} = writeback;
    this.out.add('writebacks', {
      life_id: this.life(row).life_id,
      pfn: this.m.pages.pfn[row]!,
      exact: writeback.exact ? 1 : 0,
      started: start,
      finished: end ?? null,
      lasted_ns: end ? end.t - start.t : null,
    });
    this.underWriteback.delete(row);
  }

  private readonly underWriteback = new Map<number, Writeback>();

  writebackStarted(row: number, writeback: Writeback): void {
    this.underWriteback.set(row, writeback);
  }

  dirtied(row: number, deed: Deed): void {
    this.marked(row, 'dirty', deed);
  }

  cleaned(row: number, deed: Deed): void {
    this.marked(row, 'clean', deed);
  }

  pinCallReturned(task: number, call: number, gupFlags: number, ret: number, deed: () => Deed): void {
    this.out.add('requests', {
      request_id: call,
      task_id: task < 0 ? null : task,
      gup_flags: gupFlags < 0 ? null : gupFlags,
      pages_pinned: ret,
      returned: deed(),
    });
  }

  /** What lives on at the end of the trace. */
  ended(): void {
    for (const r of [...this.refs.keys()]) this.close(r, r.n, 'open', null, null);
    for (const window of [...this.windows.keys()]) this.closeWindow(window, window.inCall ? 'in-call' : 'open');
    for (const [row, writeback] of [...this.underWriteback]) this.writebackEnded(row, writeback);
    for (const life of this.lives.values()) this.out.add('lives', {...life, ended: 'open'});
    this.lives.clear();
  }

  private marked(row: number, what: 'dirty' | 'clean', deed: Deed): void {
    this.out.add('dirtyings', {life_id: this.life(row).life_id, pfn: this.m.pages.pfn[row]!, what, done: deed});
  }

  /** The life of a row's page, begun if it is new here. */
  private life(row: number): Life {
    const {m} = this;
    const {pages} = m;
    const known = this.lives.get(row);
    if (known !== undefined) {
      if (known.ino === null) Object.assign(known, this.fileOf(row));
      if (pages.order[row]! > known.folio_order!) known.folio_order = pages.order[row]!;
      return known;
    }
    const life: Life = {
      life_id: this.nextLife++,
      pfn: pages.pfn[row]!,
      generation: pages.generation[row]!,
      folio_order: pages.order[row]!,
      seen_ns: m.capture.now,
      ended_ns: null,
      ended: null,
      dev: null,
      ino: null,
      page_index: null,
      ...this.fileOf(row),
    };
    this.lives.set(row, life);
    return life;
  }

  private fileOf(row: number): Partial<Life> {
    const file = this.m.files.of(row);
    if (file === undefined) return {};
    return {dev: deviceText(file.dev), ino: file.ino, page_index: file.index};
  }

  /** `n` of a reference are over. */
  private close(r: Reference, n: number, ended: string, dropped: Deed | null, paired: string | null): void {
    const known = this.refs.get(r);
    if (known === undefined) return;
    const {pages} = this.m;
    this.out.add('refs', {
      ref_id: known.id,
      part: known.part++,
      kind: r.kind,
      n,
      known_by: r.knownBy,
      life_id: this.life(r.row).life_id,
      pfn: r.sub >= 0 ? r.sub : pages.pfn[r.row]!,
      folio_pfn: pages.pfn[r.row]!,
      folio_order: pages.order[r.row]!,
      taken: r,
      ended,
      dropped,
      held_ns: dropped ? dropped.t - r.t : null,
      paired,
      gup_flags: r.gupFlags < 0 ? null : r.gupFlags,
      device_id: r.device < 0 ? null : r.device,
      request_id: r.call || null,
    });
    if (r.n <= 0 || ended === 'open') this.refs.delete(r);
  }

  private closeWindow(w: DmaWindow, ended: 'unmapped' | 'in-call' | 'open'): void {
    const id = this.windows.get(w);
    if (id === undefined) return;
    this.windows.delete(w);
    this.out.add('dma_windows', {
      window_id: id,
      device_id: w.device < 0 ? null : w.device,
      dir: DIRECTIONS[w.dir] ?? null,
      dma_addr: w.address < 0 || w.address >= 2 ** 63 ? null : w.address,
      bytes: w.size > 0 ? w.size : null,
      pages: w.rows.length,
      first_pfn: w.runs[0]?.pfn ?? null,
      mapped: w.open,
      ended,
      unmapped: w.close ?? null,
      mapped_for_ns: w.close ? w.close.t - w.open.t : null,
      truncated: w.truncated ? 1 : 0,
      iommu_only: w.iommuOnly ? 1 : 0,
    });
  }

  private ownerOf(row: number, window: DmaWindow): WindowOwner | null {
    for (let link = this.m.pages.dma[row]; link; link = link.next) if (link.window === window) return link.owner;
    return null;
  }
}
