/** The ledger's rows on a timeline: references, mappings and writebacks of some pages, some time, or all of them. */
import type {RowSink} from '../../readers/export/ledger.js';
import type {DeedCell, Row, TableName} from '../../readers/export/schema.js';
import type {Timeline} from './timeline.js';

export interface TimelineChoice {
  /** whether a page is wanted */
  page(pfn: number): boolean;
  /** distances from the base; what touches them is wanted */
  from: number;
  to: number;
}

const TABLES = new Set<TableName>(['refs', 'dma_windows', 'dma_pages', 'writebacks']);

export class TimelineRows implements RowSink {
  private readonly pagesOf = new Map<number, number[]>();

  constructor(
    private readonly timeline: Timeline,
    private readonly choice: TimelineChoice,
    /** names, known by the time that rows come */
    private readonly names: {task(id: number): string; device(id: number): string; end(): number},
  ) {}

  wants(table: TableName): boolean {
    return TABLES.has(table);
  }

  add<T extends TableName>(table: T, row: Row<T>): void {
    if (table === 'refs') this.ref(row as Row<'refs'>);
    else if (table === 'dma_pages') this.page(row as Row<'dma_pages'>);
    else if (table === 'dma_windows') this.window(row as Row<'dma_windows'>);
    else if (table === 'writebacks') this.writeback(row as Row<'writebacks'>);
  }

  private ref(r: Row<'refs'>): void {
    const {taken, dropped} = r;
    if (r.ended === 'withdrawn' || taken === null || !Number.isFinite(taken.t)) return;
    const to = dropped?.t ?? this.names.end();
    if (!this.touches(taken.t, to) || r.pfn === null || !this.wanted(r.pfn, r.n ?? 1)) return;
    const pfn = hex(r.pfn);
    const args = {
      line: taken.line,
      end_line: dropped?.line,
      n: r.n,
      known_by: r.known_by,
      ended: r.ended,
      paired: r.paired,
    };
    const flow = dropped === null ? undefined : this.timeline.flow();
    this.timeline.slice('pages', `page ${pfn}`, 'references', taken.t, to, {
      name: `${r.kind} by ${this.names.task(taken.task)}`,
      category: r.kind ?? '',
      args,
    });
    this.deed(taken, `${r.kind} taken ${pfn}`, flow === undefined ? {} : {flow});
    if (dropped !== null) this.deed(dropped, `${r.kind} ${r.ended} ${pfn}`, flow === undefined ? {} : {endsFlow: flow});
    if (r.kind !== 'pin') return;
    this.timeline.livePins(taken.t, r.n ?? 1);
    if (dropped !== null) this.timeline.livePins(dropped.t, -(r.n ?? 1));
  }

  private deed(deed: DeedCell, name: string, flows: {flow?: number; endsFlow?: number}): void {
    const args = {line: deed.line, cpu: deed.cpu};
    this.timeline.instant('tasks', this.names.task(deed.task), deed.t, {name, category: 'deed', args, ...flows});
  }

  private page({window_id, pfn}: Row<'dma_pages'>): void {
    if (pfn === null || window_id === null || !this.choice.page(pfn)) return;
    const list = this.pagesOf.get(window_id);
    if (list === undefined) this.pagesOf.set(window_id, [pfn]);
    else list.push(pfn);
  }

  private window(w: Row<'dma_windows'>): void {
    const pages = this.pagesOf.get(w.window_id!);
    this.pagesOf.delete(w.window_id!);
    const {mapped, unmapped} = w;
    if (pages === undefined || mapped === null) return;
    const to = unmapped?.t ?? this.names.end();
    if (!this.touches(mapped.t, to)) return;
    const device = w.device_id === null ? 'iommu' : this.names.device(w.device_id);
    const args = {line: mapped.line, end_line: unmapped?.line, dir: w.dir, ended: w.ended, pages: pages.length};
    const detail = {category: 'dma', args};
    const name = pages.length === 1 ? hex(pages[0]!) : `${hex(pages[0]!)} and ${pages.length - 1} more`;
    this.timeline.slice('devices', device, undefined, mapped.t, to, {name, ...detail});
    for (const pfn of pages)
      this.timeline.slice('pages', `page ${hex(pfn)}`, 'dma', mapped.t, to, {
        name: `${device} ${w.dir ?? ''}`,
        ...detail,
      });
  }

  private writeback({pfn, started, finished}: Row<'writebacks'>): void {
    if (pfn === null || started === null || !this.choice.page(pfn)) return;
    const to = finished?.t ?? this.names.end();
    if (!this.touches(started.t, to)) return;
    const args = {line: started.line, end_line: finished?.line};
    this.timeline.slice('pages', `page ${hex(pfn)}`, 'writeback', started.t, to, {
      name: 'writeback',
      category: 'writeback',
      args,
    });
  }

  private touches(from: number, to: number): boolean {
    return from <= this.choice.to && to >= this.choice.from;
  }

  private wanted(pfn: number, n: number): boolean {
    for (let i = 0; i < n && i < 512; i++) if (this.choice.page(pfn + i)) return true;
    return false;
  }
}

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}
