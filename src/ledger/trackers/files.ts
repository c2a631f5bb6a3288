/** Which page of which file lives in a PFN, by the filemap events (mm_filemap_add_to_page_cache, ..._delete_...). */
import {EventKind, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
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
  constructor(private readonly around: Uses<'capture' | 'pages' | 'book'>) {}

  private readonly byRow = new Map<number, FilePage>();
  /** inode numbers of all files that were seen, the first INODES_MAX, with their device; -1: of several */
  readonly inodes = new Map<number, number>();

  event(ev: TraceEvent): void {
    const {around} = this;
    if (ev.pfn < 0) return;
    // A number that is rounded names another file (NFS, overlayfs and FUSE use all 64 bits): then which one is not known.
    if (!Number.isSafeInteger(ev.ino)) ev.devId = -1;
    const row = around.pages.row(ev.pfn, ev.t);
    if (row < 0) return;
    const index = ev.index >= 0 ? ev.index : Math.floor(ev.ofs / around.capture.pageSize.bytes);
    if (ev.kind === EventKind.CacheAdd) {
      around.pages.state[row]! |= PageState.file;
      if (ev.order > 0) around.pages.setLarge(row, ev.order, true);
      if (ev.devId >= 0) this.seen(ev.ino, ev.devId);
      // of what is not read to its end nothing is known
      if (ev.devId < 0) this.byRow.delete(row);
      else if (this.byRow.size < FILE_PAGES_MAX || this.byRow.has(row))
        this.byRow.set(row, {dev: ev.devId, ino: ev.ino, index, input: ev.input, line: ev.line});
      else around.capture.limits.hit('file-pages');
    } else {
      around.pages.state[row]! &= ~PageState.file;
      this.byRow.delete(row);
    }
    around.book.file(row, ev, index);
  }

  private seen(ino: number, dev: number): void {
    const known = this.inodes.get(ino);
    if (known === undefined) {
      if (this.inodes.size < INODES_MAX) this.inodes.set(ino, dev);
    } else if (known !== dev) this.inodes.set(ino, -1);
  }

  /** The page of a file that lives in a row's place. */
  of(row: number): FilePage | undefined {
    return this.byRow.get(row);
  }

  forget(row: number): void {
    this.byRow.delete(row);
  }
}
