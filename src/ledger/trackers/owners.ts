/**
 * Whose a mapping is: the set of references it may have been made for, as an owner and whether that is proven.
 *
 * A mapping names no reference. Proven is that it belongs to a pin where the task that pinned maps, in its own context, and
 * the page holds nothing else that such a mapping could be for: no get_user_pages reference, no writeback that has its own
 * mapping to make. Another task's mapping of a pinned page may be sendfile's, a network stack's, another reader's, under a
 * page cache or plain reference that no event shows, unless the trace shows that the pin's I/O goes through that task.
 */
import {BIAS} from '../../base/reference.js';
import {Context, DmaDir, EventKind as K, PageFlag} from '../../events/event.js';
import type {Uses} from './around.js';
import type {DmaDevice, DmaLink, DmaWindow, Unless, WindowOwner} from '../tables/dma.js';
import type {PageTable} from '../tables/page-table.js';
import {PageState, UNKNOWN_COUNT} from '../tables/page-table.js';
import type {ReferenceKind} from '../../base/reference.js';
import type {Reference} from '../tables/references.js';
import type {Writeback} from '../tables/writeback.js';

export interface Owner {
  owner: WindowOwner;
  certain: boolean;
  /** what else it may be; empty where it is certain */
  why: string;
  /** what else it may be where the device maps for others than those who pin; undefined otherwise */
  unless: Unless | undefined;
}

const sure = (owner: WindowOwner, unless?: Unless): Owner => ({owner, certain: true, why: '', unless});
const maybe = (owner: WindowOwner, why: string): Owner => ({owner, certain: false, why, unless: undefined});

const NONE = sure('none');
const WRITEBACK = sure('writeback');
/** As far as its device is seen to map what its driver pins (src/proof/of-mappings.ts). */
const PIN = sure('pin');
/** TO_DEVICE: sendfile() and fsync() map page cache pages in the context of their caller, under references of their own. */
const PIN_OR_CACHE = sure('pin', {
  why: 'the page may be of the page cache, and the mapping for a reference that no event shows (sendfile, fsync by the same task)',
  device: 'servesOthers',
});
/** The same where no start of a writeback is recorded: one that the task itself began shows nowhere else. */
const PIN_OR_WRITTEN = maybe(
  'pin',
  'the page may be of the page cache, and the mapping for its writeback: no start of writeback is recorded',
);
/**
 * TO_DEVICE: a network card sends what a disk behind it is to write, in the context of the task that pinned, under references of
 * the packet: those outlive the pins, which go with the disk's answer (nvme_tcp_queue_request(), drivers/nvme/host/tcp.c;
 * skb_splice_from_iter(), net/core/skbuff.c; iscsi_tcp, drbd, rbd).
 */
const PIN_OR_SENT = sure('pin', {
  why: 'the device may be a network card, and the mapping for a packet that has references of its own, which no event shows (nvme-tcp, iscsi, drbd)',
  device: 'maySend',
});
/** The I/O of the pin is on another device: hardware that follows page tables maps what a task has, and holds nothing of it. */
const PIN_OR_NOBODY = sure('pin', {
  why: "another device has the pin's own I/O, and this one maps pages that nobody holds too, as hardware that follows page tables does (HMM)",
  device: 'servesUnheld',
});
/**
 * BIDIRECTIONAL: a region that is registered for on-demand paging, or a GPU's, may have the page mapped beside one that pinned it,
 * or beside a ring: it holds nothing, and its mapping outlives their pins (ib_umem_odp_map_dma_and_lock(), hmm_range_fault()).
 */
const PIN_OR_TABLES = sure('pin', {
  why: 'the device maps pages for both directions that nobody holds, as hardware that follows page tables does (HMM, on-demand paging): the mapping may be none of the pin',
  device: 'followsTables',
});
/**
 * A page of shared memory that a dma-buf holds as well, by a reference of the page cache: it is mapped in the task that gives it to a
 * device, and outlives its pins (udmabuf up to 6.10: shmem_read_mapping_page(), map_udmabuf(); objects of a GPU).
 */
const PIN_OR_EXPORTED = maybe(
  'pin',
  'the page is of shared memory, and its count leaves room for a reference that no probe shows: the mapping may be that of a dma-buf (udmabuf up to 6.10)',
);
const GET = sure('get');
const FIRST_UNDER_WRITEBACK = maybe('writeback', 'the page was pinned as well: the mapping may be the one of the pin');
const LATER_UNDER_WRITEBACK = maybe('ambiguous', "the mapping may be the one of the page's own writeback");
const PIN_OR_GET = maybe('pin', 'a get_user_pages reference was held as well: the mapping may be the one of that');
const GET_OR_PIN = maybe('get', 'the page was pinned as well: the mapping may be the one of the pin');
const PIN_BY_OTHER = maybe(
  'pin',
  'another task than the one that pinned made the mapping: it may be for a reference that no event shows (sendfile, a network send)',
);
const PIN_BY_UNNAMED = maybe(
  'pin',
  'the trace does not print which task made the mapping: it may be for a reference that no event shows (sendfile, a network send)',
);
const PIN_THAT_STAYS = maybe(
  'pin',
  'the other pins of its pages were dropped right after they were taken: the one that was left is for all of them, as io_uring keeps it (io_coalesce_buffer()), or for the first page alone',
);
const GET_BY_OTHER = maybe(
  'get',
  'another task than the one that took the reference made the mapping: it may be for a reference that no event shows',
);
const TIRED = maybe('ambiguous', 'too many references to look through');

export class Owners {
  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence'>,
    private readonly devices: readonly DmaDevice[],
  ) {}

  /** Under what a mapping of a page was opened; see the top of this file. `before`: the page's other mappings. */
  of(pfn: number, folio: number, window: DmaWindow, before: DmaLink | undefined): Owner {
    const {around} = this;
    const {pages, capture} = around;
    const {limits} = capture;
    if (pages.references[folio] === undefined && pages.writebacks[folio] === undefined && pages.pins[folio]! <= 0)
      return pages.gets[folio]! > 0 ? GET_BY_OTHER : NONE;
    // A folio with many references, under a mapping of many of its pages: each page would look through all of them.
    limits.looks += pages.pfn[folio] === pfn ? 0 : pages.listed[folio]!;
    if (limits.tired()) return TIRED;
    const pinned = around.pages.holds(folio, 'pin', pfn);
    const writeback = pages.writebacks[folio];
    if (writeback && window.dir === DmaDir.toDevice) {
      if (firstFor(writeback, pfn)) return pinned ? FIRST_UNDER_WRITEBACK : WRITEBACK;
      return pinned ? LATER_UNDER_WRITEBACK : WRITEBACK;
    }
    const got = around.pages.holds(folio, 'get', pfn);
    if (pinned) {
      if (got) return this.ofGet(folio, pfn, window) ? GET_OR_PIN : PIN_OR_GET;
      if (!this.isNamed(window)) return PIN_BY_UNNAMED;
      if (!this.byItsTaker(folio, 'pin', pfn, window)) return PIN_BY_OTHER;
      if (this.hasOneThatStays(folio, pfn)) return PIN_THAT_STAYS;
      if (window.dir === DmaDir.toDevice) {
        if (this.mayBeCached(folio)) return capture.certifies(K.WritebackStart) ? PIN_OR_CACHE : PIN_OR_WRITTEN;
        return this.hasRoom(folio, (pages.flags[folio]! & PageFlag.swapcache) === 0 ? 0 : 1) ? PIN_OR_SENT : PIN;
      }
      const device = this.devices[window.device];
      if (device !== undefined && window.dir === DmaDir.fromDevice) device.readsIn = true;
      if ((pages.state[folio]! & PageState.shmem) !== 0 && this.hasRoom(folio, 1)) return PIN_OR_EXPORTED;
      if (this.servedElsewhere(folio, pfn, window, before)) return PIN_OR_NOBODY;
      return window.dir === DmaDir.bidirectional ? PIN_OR_TABLES : PIN;
    }
    if (got) return this.byItsTaker(folio, 'get', pfn, window) ? GET : GET_BY_OTHER;
    return NONE;
  }

  /**
   * Whether a page may be in the page cache, and mapped for that: under a reference beside those that are known, for which its count
   * may leave no room, or under none, by a writeback that is not recorded, or of its buffers alone, which sets no PG_writeback
   * (sync_dirty_buffer(), fs/buffer.c; jbd2_log_do_checkpoint() of data=journal).
   */
  private mayBeCached(folio: number): boolean {
    const {pages, capture} = this.around;
    const state = pages.state[folio]!;
    if ((state & (PageState.file | PageState.shmem)) !== 0) {
      if (!capture.certifies(K.WritebackStart) || (pages.flags[folio]! & PageFlag.private) !== 0) return true;
    } else {
      if ((state & PageState.swapBacked) !== 0) return false;
      // a page of a file that was moved enters the page cache by no event (folio_migrate_mapping(), mm/migrate.c): what its
      // file system does with it shows by its writeback
      const shown = capture.certifies(K.CacheAdd) && capture.certifies(K.WritebackStart);
      if ((state & PageState.lifeSeen) !== 0 && shown) return false;
    }
    return this.hasRoom(folio, 1);
  }

  /**
   * Whether a pinned page may have a get besides that no event shows. A page of a user that is not on the LRU is in a batch that
   * holds it, or isolated (mm/swap.c: folio_add_lru(), mm/vmscan.c: folio_isolate_lru()).
   */
  mayBeGot(folio: number): boolean {
    const {pages} = this.around;
    const flags = pages.flags[folio]!;
    let own = (flags & (PageFlag.swapbacked | PageFlag.lru)) === PageFlag.swapbacked ? 1 : 0;
    if ((pages.state[folio]! & (PageState.file | PageState.shmem)) !== 0)
      own += (flags & PageFlag.private) === 0 ? 1 : 2;
    else if ((flags & PageFlag.swapcache) !== 0) own++;
    return this.hasRoom(folio, own);
  }

  /** Whether the page's count leaves room for a reference beside its pins, gets, mappings, and `own` that the kernel has of it; true where it does not tell. */
  private hasRoom(folio: number, own: number): boolean {
    const {pages, capture} = this.around;
    const count = pages.count[folio]!;
    const mapcount = pages.mapcount[folio]!;
    if ((pages.state[folio]! & PageState.large) !== 0 || count === UNKNOWN_COUNT || mapcount === UNKNOWN_COUNT)
      return true;
    // a filter that shows pins only (`val>=1024||val<=-1024`) hides what was taken since the count was printed
    if (!capture.certifies(K.RefModUnless)) return true;
    const mappings = Math.max(0, capture.era.rawMapcount ? mapcount + 1 : mapcount);
    return count - BIAS * pages.pins[folio]! - pages.gets[folio]! > mappings + own;
  }

  /** Whether a page of which no reference is known has none: takings show, or its count leaves no room for one. */
  unheld(folio: number): boolean {
    return this.around.capture.records(K.Grab) || !this.hasRoom(folio, 1);
  }

  /**
   * Whether the trace prints which task made the mapping: a name without a pid may be many, and so are those of pid 0. The idle
   * task pins and maps nothing; in perf's records it stands for whoever is outside of its pid namespace (perf_event_pid(), kernel/events/core.c).
   */
  private isNamed(window: DmaWindow): boolean {
    const {task} = window.open;
    return task >= 0 && this.around.evidence.tasks.get(task).pid > 0;
  }

  /** Whether a mapping that is a pin's was made right after it, as a driver does that pins what it maps; not where another device has the pin's I/O. */
  isAtOnce({owner, certain, unless}: Owner, folio: number, pfn: number, {open}: DmaWindow): boolean {
    if (owner !== 'pin' || !certain || unless?.device === 'servesUnheld') return false;
    const {pages, capture} = this.around;
    const since = capture.time.unit === 'ns' ? open.t - AT_ONCE_NS : -Infinity;
    for (let r = pages.references[folio]; r; r = r.next)
      if (r.kind === 'pin' && r.task === open.task && r.t >= since && covers(pages, r, pfn)) return true;
    return false;
  }

  /** Whether no pin counts for the page, and one does that was left of several (Reference.whole). */
  private hasOneThatStays(folio: number, pfn: number): boolean {
    const {pages} = this.around;
    if ((pages.state[folio]! & PageState.large) === 0) return false;
    for (let r = pages.references[folio]; r; r = r.next)
      if (r.kind === 'pin' && r.covers(pfn) && (r.sub < 0 || pfn < r.sub + r.n)) return false;
    return true;
  }

  /** Whether the task that took a reference of the page made the mapping. */
  private byItsTaker(folio: number, kind: ReferenceKind, pfn: number, window: DmaWindow): boolean {
    const {task, context} = window.open;
    if (!this.isNamed(window) || context > Context.task) return false;
    for (let r = this.around.pages.references[folio]; r; r = r.next) {
      if (r.kind === kind && r.task === task && r.context <= Context.task && covers(this.around.pages, r, pfn))
        return true;
    }
    return false;
  }

  /** Whether the task that mapped a page had a get of it and no pin, as a send without copying beside somebody's read. */
  private ofGet(folio: number, pfn: number, window: DmaWindow): boolean {
    return this.byItsTaker(folio, 'get', pfn, window) && !this.byItsTaker(folio, 'pin', pfn, window);
  }

  /** Whether the pins of a page have their I/O on another device already: it runs, or is over. */
  private servedElsewhere(folio: number, pfn: number, {device}: DmaWindow, before: DmaLink | undefined): boolean {
    const {pages} = this.around;
    const generation = before === undefined ? 0 : pages.generation[pages.find(pfn)];
    for (let link = before; link; link = link.next)
      if (link.owner === 'pin' && link.window.device !== device && link.generation === generation) return true;
    for (let r = pages.references[folio]; r; r = r.next)
      if (r.kind === 'pin' && r.ioEnded !== undefined && r.device !== device && covers(pages, r, pfn)) return true;
    return false;
  }

  /** Whether somebody holds pages of a window since before it was opened, or its writeback still runs. */
  readonly stillHeld = (window: DmaWindow): boolean => {
    const {pages, capture} = this.around;
    const {limits} = capture;
    const {rows, open} = window;
    for (let i = 0; i < rows.length && i < HELD_LOOKS; i++) {
      const row = rows[i]!;
      if (row < 0) continue;
      const folio = pages.folioOf(row);
      limits.looks += pages.listed[folio]!;
      if (limits.tired()) return true;
      if (pages.writebacks[folio] && pages.writebacks[folio].start.t <= open.t) return true;
      for (let r = pages.references[folio]; r; r = r.next) if (r.t <= open.t) return true;
      if ((pages.state[folio]! & PageState.unlisted) !== 0) return true;
    }
    return false;
  };
}

/** Whether a mapping is the first one of a page since its writeback began; the next one will not be. */
function firstFor(writeback: Writeback, pfn: number): boolean {
  if (writeback.ownPage < 0) {
    writeback.ownPage = pfn;
    return true;
  }
  if (writeback.ownPage === pfn || writeback.ownPages?.has(pfn) === true) return false;
  (writeback.ownPages ??= new Set()).add(pfn);
  return true;
}

/** From the last pin of a call to the mapping of what it pinned, in one system call; a machine that stands still now and then is seen to be quicker too. */
const AT_ONCE_NS = 1_000_000;

/** Pages of a mapping that are asked for their holders. */
const HELD_LOOKS = 8;

function covers(pages: PageTable, r: Reference, pfn: number): boolean {
  return (pages.state[r.row]! & PageState.large) === 0 || r.covers(pfn);
}

/** The link of a page to a window, with its owner. */
export function linkOf(
  window: DmaWindow,
  generation: number,
  o: Owner,
  next: DmaLink | undefined,
  roomSince: number,
): DmaLink {
  const {owner, certain, why, unless} = o;
  return {
    window,
    generation,
    owner,
    ownerCertain: certain,
    ownerWhy: why,
    unless,
    roomSince,
    entry: 0,
    life: undefined,
    next,
  };
}
