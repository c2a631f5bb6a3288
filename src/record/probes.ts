/**
 * The functions that are probed, with their arguments by kernel. Event and argument names are those that the parsers
 * read (parsers/events). Arguments are written as `$argN`, which the kernel resolves on every architecture that has
 * HAVE_FUNCTION_ARG_ACCESS_API (x86, arm64, ppc, s390, riscv; Documentation/trace/kprobetrace.rst, since 4.20).
 *
 * A function that is inlined, static under another name, or younger than the kernel is refused by the kernel when the
 * probe is defined, and left out: presence is tried, never guessed from a version. Versions below are those that
 * mm/gup.c, mm/page-writeback.c and kernel/dma/mapping.c were read in (5.10, 5.15, 6.1, 6.5, 6.8, 6.12, 6.18).
 */
import type {Group} from './groups.js';

/** What has to be known about the running kernel before a probe can be defined. */
export type Condition =
  /** try_grab_folio(struct page *, ...) returns a folio: 5.19 to 6.8, where the slow path is try_grab_page() */
  | 'grab_takes_page'
  /** try_grab_folio(struct folio *, ...) returns an int: where try_grab_page() is gone */
  | 'grab_takes_folio'
  /** no dma:* tracepoints (before 6.12) */
  | 'no_dma_events'
  /** only where that event, listed before, could not be probed: the older name is a wrapper around the newer one */
  | `without:${string}`;

export interface Probe {
  group: Group;
  /** event name; the function's own, `_ret` added for returns */
  event: string;
  func: string;
  /** fetch arguments; for a return `$retval` */
  args: string;
  isReturn?: true;
  when?: Condition;
  /** first and last kernel that has the function in this form: only to leave it out of a script for one `--kernel` */
  since?: readonly [number, number];
  until?: readonly [number, number];
}

/** Entries of a scatterlist that a probe copies; the rest is announced as cut by `nents`. */
export const SG_ENTRIES = 8;

/** struct scatterlist on 64 bit: page_link, offset, length, dma_address, dma_length (include/linux/scatterlist.h). */
const SG_BYTES = 32;

/** `page0=… off0=… len0=… page1=…` for a list whose first entry is at the address `base`. */
function scatterlist(base: string): string {
  const at = (offset: number) => `+${offset}(${base})`;
  return Array.from({length: SG_ENTRIES}, (_, i) => {
    const start = i * SG_BYTES;
    return `page${i}=${at(start)}:x64 off${i}=${at(start + 8)}:u32 len${i}=${at(start + 12)}:u32`;
  }).join(' ');
}

/** First field of struct device is its kobject, whose first field is the name (include/linux/device.h). */
const DEVICE = 'dev=+0(+0($arg1)):string';

const grab = 'refs=$arg2:s32 flags=$arg3:x32';

/** A probe on the entry, and one on the return. */
function withReturn(probe: Probe, retval: string): Probe[] {
  return [probe, {...probe, event: `${probe.event}_ret`, args: retval, isReturn: true}];
}

export const PROBES: readonly Probe[] = [
  // The two roles of one name: kernel-version notes in docs/recording.md.
  ...withReturn(
    {
      group: 'take',
      event: 'try_grab_folio',
      func: 'try_grab_folio',
      args: `page=$arg1:x64 ${grab}`,
      when: 'grab_takes_page',
      since: [5, 17],
      until: [6, 9],
    },
    'folio=$retval:x64',
  ),
  ...withReturn(
    {
      group: 'take',
      event: 'try_grab_folio',
      func: 'try_grab_folio',
      args: `folio=$arg1:x64 ${grab}`,
      when: 'grab_takes_folio',
      since: [6, 6],
    },
    'ret=$retval:s32',
  ),
  ...withReturn(
    {
      group: 'take',
      event: 'try_grab_folio_fast',
      func: 'try_grab_folio_fast',
      args: `page=$arg1:x64 ${grab}`,
      since: [6, 6],
    },
    'folio=$retval:x64',
  ),
  {group: 'take', event: 'try_grab_page', func: 'try_grab_page', args: 'page=$arg1:x64 flags=$arg2:x32', until: [6, 9]},
  {
    group: 'take',
    event: 'try_grab_compound_head',
    func: 'try_grab_compound_head',
    args: `page=$arg1:x64 ${grab}`,
    until: [5, 17],
  },
  {group: 'take', event: 'folio_add_pin', func: 'folio_add_pin', args: 'folio=$arg1:x64', since: [6, 5]},
  {
    group: 'take',
    event: 'folio_add_pins',
    func: 'folio_add_pins',
    args: 'folio=$arg1:x64 refs=$arg2:u32',
    since: [6, 13],
  },
  ...withReturn(
    {
      group: 'take',
      event: 'pin_user_pages_fast',
      func: 'pin_user_pages_fast',
      args: 'start=$arg1:x64 nr=$arg2:s32 gup_flags=$arg3:x32 pages=$arg4:x64',
    },
    'ret=$retval:s32',
  ),
  ...withReturn(
    {
      group: 'take',
      event: 'pin_user_pages',
      func: 'pin_user_pages',
      args: 'start=$arg1:x64 nr=$arg2:u64 gup_flags=$arg3:x32',
    },
    'ret=$retval:s64',
  ),
  ...withReturn(
    {
      group: 'take',
      event: 'pin_user_pages_remote',
      func: 'pin_user_pages_remote',
      args: 'start=$arg2:x64 nr=$arg3:u64 gup_flags=$arg4:x32',
    },
    'ret=$retval:s64',
  ),
  ...withReturn(
    {
      group: 'get',
      event: 'get_user_pages_fast',
      func: 'get_user_pages_fast',
      args: 'start=$arg1:x64 nr=$arg2:s32 gup_flags=$arg3:x32 pages=$arg4:x64',
    },
    'ret=$retval:s32',
  ),

  // Up to 6.12 every unpin goes through gup_put_folio; from 6.18 on unpin_user_page and unpin_user_folio have it inlined.
  // The callers say who unpinned and whether it dirtied.
  {group: 'drop', event: 'gup_put_folio', func: 'gup_put_folio', args: `folio=$arg1:x64 ${grab}`, since: [5, 17]},
  {
    group: 'drop',
    event: 'put_compound_head',
    func: 'put_compound_head',
    args: `page=$arg1:x64 ${grab}`,
    until: [5, 17],
  },
  {group: 'drop', event: 'unpin_user_page', func: 'unpin_user_page', args: 'page=$arg1:x64'},
  {
    group: 'drop',
    event: 'unpin_user_pages',
    func: 'unpin_user_pages',
    args: 'npages=$arg2:u64 pages=+0($arg1):x64[8]',
  },
  {
    group: 'drop',
    event: 'unpin_user_pages_dirty_lock',
    func: 'unpin_user_pages_dirty_lock',
    args: 'npages=$arg2:u64 make_dirty=$arg3:u8 pages=+0($arg1):x64[8]',
  },
  {
    group: 'drop',
    event: 'unpin_user_page_range_dirty_lock',
    func: 'unpin_user_page_range_dirty_lock',
    args: 'page=$arg1:x64 npages=$arg2:u64 make_dirty=$arg3:u8',
    since: [5, 13],
  },
  {
    group: 'drop',
    event: 'unpin_user_folio',
    func: 'unpin_user_folio',
    args: 'folio=$arg1:x64 npages=$arg2:u64',
    since: [6, 11],
  },
  // pins of memfd folios (udmabuf); with gup_put_folio inlined, as in unpin_user_folio, nothing else shows their drop
  {group: 'drop', event: 'unpin_folio', func: 'unpin_folio', args: 'folio=$arg1:x64', since: [6, 11]},
  {
    group: 'drop',
    event: 'unpin_folios',
    func: 'unpin_folios',
    args: 'nr=$arg2:u64 folios=+0($arg1):x64[8]',
    since: [6, 11],
  },
  {
    group: 'drop',
    event: '__bio_release_pages',
    func: '__bio_release_pages',
    args: 'bio=$arg1:x64 mark_dirty=$arg2:u8',
    since: [5, 17],
  },

  {
    group: 'writeback',
    event: '__folio_start_writeback',
    func: '__folio_start_writeback',
    args: 'folio=$arg1:x64',
    since: [5, 17],
  },
  {
    group: 'writeback',
    event: 'folio_end_writeback',
    func: 'folio_end_writeback',
    args: 'folio=$arg1:x64',
    since: [5, 16],
  },
  {
    group: 'writeback',
    event: 'folio_clear_dirty_for_io',
    func: 'folio_clear_dirty_for_io',
    args: 'folio=$arg1:x64',
    since: [5, 16],
  },
  {
    group: 'writeback',
    event: '__test_set_page_writeback',
    func: '__test_set_page_writeback',
    args: 'page=$arg1:x64',
    when: 'without:__folio_start_writeback',
    until: [5, 16],
  },
  {
    group: 'writeback',
    event: 'end_page_writeback',
    func: 'end_page_writeback',
    args: 'page=$arg1:x64',
    when: 'without:folio_end_writeback',
    until: [5, 15],
  },
  {
    group: 'writeback',
    event: 'clear_page_dirty_for_io',
    func: 'clear_page_dirty_for_io',
    args: 'page=$arg1:x64',
    when: 'without:folio_clear_dirty_for_io',
    until: [5, 15],
  },
  {group: 'dirty', event: 'folio_mark_dirty', func: 'folio_mark_dirty', args: 'folio=$arg1:x64', since: [5, 16]},
  {
    group: 'dirty',
    event: 'set_page_dirty',
    func: 'set_page_dirty',
    args: 'page=$arg1:x64',
    when: 'without:folio_mark_dirty',
    until: [5, 15],
  },

  {group: 'life', event: '__folio_put', func: '__folio_put', args: 'folio=$arg1:x64', since: [5, 19]},

  // DMA before the dma:* tracepoints of 6.12
  ...withReturn(
    {
      group: 'dma',
      event: 'dma_map_page_attrs',
      func: 'dma_map_page_attrs',
      args: `${DEVICE} page=$arg2:x64 offset=$arg3:x64 size=$arg4:u64 dir=$arg5:s32`,
      when: 'no_dma_events',
      until: [6, 11],
    },
    'dma_addr=$retval:x64',
  ),
  {
    group: 'dma',
    event: 'dma_unmap_page_attrs',
    func: 'dma_unmap_page_attrs',
    args: `${DEVICE} dma_addr=$arg2:x64 size=$arg3:u64 dir=$arg4:s32`,
    when: 'no_dma_events',
    until: [6, 11],
  },
  ...withReturn(
    {
      group: 'dma',
      event: 'dma_map_sg_attrs',
      func: 'dma_map_sg_attrs',
      args: `${DEVICE} nents=$arg3:s32 dir=$arg4:s32 ${scatterlist('$arg2')}`,
      when: 'no_dma_events',
      until: [6, 11],
    },
    'ret=$retval:s32',
  ),
  {
    group: 'dma',
    event: 'dma_unmap_sg_attrs',
    func: 'dma_unmap_sg_attrs',
    args: `${DEVICE} nents=$arg3:s32 dir=$arg4:s32 ${scatterlist('$arg2')}`,
    when: 'no_dma_events',
    until: [6, 11],
  },
  ...withReturn(
    {
      group: 'dma',
      event: 'dma_map_sgtable',
      func: 'dma_map_sgtable',
      args: `${DEVICE} orig_nents=+12($arg2):u32 dir=$arg3:s32 ${scatterlist('+0($arg2)')}`,
      when: 'no_dma_events',
      until: [6, 11],
    },
    'ret=$retval:s32',
  ),
];

export interface Tracepoint {
  group: Group;
  /** `system/event` as under tracefs `events/` */
  event: string;
}

/** Tracepoints, where the kernel has them. */
export const TRACEPOINTS: readonly Tracepoint[] = [
  ...['set', 'mod', 'mod_and_test', 'mod_and_return', 'mod_unless', 'freeze', 'unfreeze'].map((name) => ({
    group: 'refs' as const,
    event: `page_ref/page_ref_${name}`,
  })),
  ...[
    'dma_map_page',
    'dma_unmap_page',
    'dma_map_phys',
    'dma_unmap_phys',
    'dma_map_sg',
    'dma_map_sg_err',
    'dma_unmap_sg',
  ].map((name) => ({group: 'dma' as const, event: `dma/${name}`})),
  // bounced: the device touches a copy, and the page changes at the unmap (kernel/dma/swiotlb.c)
  {group: 'dma', event: 'swiotlb/swiotlb_bounced'},
  {group: 'iommu', event: 'iommu/map'},
  {group: 'iommu', event: 'iommu/unmap'},
  {group: 'iommu', event: 'iommu/io_page_fault'},
  // Where dma_need_unmap() is false (no IOMMU, no bounce buffers; NVMe since 6.17) most requests are never unmapped: the
  // device is done at the completion. The nvme events tell the request by its queue and number, also in passthrough.
  {group: 'requests', event: 'block/block_rq_issue'},
  {group: 'requests', event: 'block/block_rq_complete'},
  {group: 'requests', event: 'block/block_rq_requeue'},
  {group: 'requests', event: 'nvme/nvme_setup_cmd'},
  {group: 'requests', event: 'nvme/nvme_complete_rq'},
  {group: 'writeback', event: 'writeback/folio_wait_writeback'},
  {group: 'writeback', event: 'vmscan/mm_vmscan_write_folio'},
  {group: 'life', event: 'kmem/mm_page_alloc'},
  {group: 'life', event: 'kmem/mm_page_free'},
  {group: 'file', event: 'filemap/mm_filemap_add_to_page_cache'},
  {group: 'file', event: 'filemap/mm_filemap_delete_from_page_cache'},
  {group: 'owner', event: 'io_uring/io_uring_register'},
];
