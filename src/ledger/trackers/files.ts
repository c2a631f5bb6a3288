/** Which page of which file lives in a PFN, by the filemap events (mm_filemap_add_to_page_cache, ..._delete_...). */
import {EventKind, type TraceEvent} from '../../events/event.js';
import {What} from '../tables/journal.js';
import type {Model} from '../model.js';
import {PageState} from '../tables/page-table.js';

export interface FilePage {
  /** major * 2^20 + minor */
  dev: number;
  ino: number;
  /** page index in the file */
  index: number;
  /** where the trace says so */
  input: number;
  line: number;
}

/** Most pages of files whose place is kept. */
const FILE_PAGES_MAX = 2_000_000;

/** Most inodes that `--inode` can be checked against. */
export const INODES_MAX = 100_000;

export class Files {
  private readonly byRow = new Map<number, FilePage>();
  /** inode numbers of all files that were seen, the first INODES_MAX */
  readonly inodes = new Set<number>();

  event(ev: TraceEvent, m: Model): void {
    if (ev.pfn < 0) return;
    const row = m.pages.row(ev.pfn, ev.t);
    if (row < 0) return;
    if (ev.kind === EventKind.CacheAdd) {
      m.pages.state[row]! |= PageState.file;
      if (ev.order > 0) m.pages.setLarge(row, ev.order, true);
      if (ev.devId >= 0 && this.inodes.size < INODES_MAX) this.inodes.add(ev.ino);
      const index = ev.index >= 0 ? ev.index : Math.floor(ev.ofs / m.pageSize.bytes);
      // of what is not read to its end nothing is known
      if (ev.devId < 0) this.byRow.delete(row);
      else if (this.byRow.size < FILE_PAGES_MAX || this.byRow.has(row))
        this.byRow.set(row, {dev: ev.devId, ino: ev.ino, index, input: ev.input, line: ev.line});
      else m.limits.hit('file-pages');
      if (m.pages.journals[row]) m.note(row, ev, What.cacheAdd, NaN, 0, 0);
    } else {
      m.pages.state[row]! &= ~PageState.file;
      this.byRow.delete(row);
      if (m.pages.journals[row]) m.note(row, ev, What.cacheDelete, NaN, 0, 0);
    }
  }

  of(row: number): FilePage | undefined {
    return this.byRow.get(row);
  }

  forget(row: number): void {
    this.byRow.delete(row);
  }
}
