/** Lines of real tracefs captures, one or two of each event by kernel and options. */
export const FTRACE_LINES: readonly string[] = [
  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF
  '            bash-101     [001] .....    17.012627: page_ref_set: pfn=0x2f28 flags=none count=1 mapcount=-1 mapping=0000000000000000 mt=1 val=1',
  '            bash-101     [001] .....    17.015391: mm_page_alloc: page=00000000e1d30e0a pfn=0x2f28 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '            bash-101     [001] ...1.    17.015603: page_ref_mod: pfn=0x2f28 flags=uptodate count=1 mapcount=-1 mapping=0000000000000000 mt=1 val=0',
  '            bash-101     [001] .....    17.017996: writeback_mark_inode_dirty: bdi 9p-1: ino=3515409 state= flags=I_DIRTY_SYNC',
  '            bash-101     [001] .....    17.018418: pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x55e140585000 nr=1 gup_flags=0x0 pages=0xffff88800463e378',
  '            bash-101     [001] d....    17.018606: try_grab_folio_fast: (try_grab_folio_fast+0x0/0x150) page=0xffffea0000180b00 refs=1 flags=0x80000',
  '            bash-101     [001] d....    17.018613: page_ref_mod_unless: pfn=0x602c flags=referenced|uptodate|lru|owner_2|swapbacked count=2 mapcount=0 mapping=0000000080e8c0cc mt=1 val=1 ret=1',
  '            bash-101     [001] d....    17.018647: try_grab_folio_fast_ret: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=0xffffea0000180b00',
  '            bash-101     [001] .....    17.018701: pin_user_pages_fast_ret: (iov_iter_extract_pages+0xe9/0x740 <- pin_user_pages_fast) ret=1',
  '            bash-101     [001] .N...    17.029213: unpin_user_page: (unpin_user_page+0x4/0x60) page=0xffffea0000180b00',
  '            bash-101     [001] .N...    17.029230: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea0000180b00 refs=1 flags=0x80000',
  '            bash-101     [001] .N...    17.029237: page_ref_mod_and_test: pfn=0x602c flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000080e8c0cc mt=1 val=-1024 ret=0',
  '     kworker/1:0-26      [001] .....    17.029365: mm_page_free: page=00000000b922f4b2 pfn=0x478c order=0',
  '            bash-101     [001] ...2.    17.033165: folios_put_refs: (folios_put_refs+0x4/0x1a0) nr=6 f={0xffffea00000bca00,0xffffea00000bc600,0xffffea00000bd840,0xffffea00000bc6c0}',
  '              wl-309     [000] ...2.    17.034330: page_ref_mod_and_test: pfn=0x2fc1 flags=uptodate|lru|swapbacked count=1 mapcount=0 mapping=0000000042242d77 mt=1 val=-1 ret=0',
  '              wl-309     [000] .....    17.035665: __folio_put: (__folio_put+0x4/0xf0) folio=0xffffea00000bd980',
  '              wl-309     [000] ...1.    17.056468: try_grab_folio: (try_grab_folio+0x4/0xc0) folio=0xffffea00000bd700 refs=1 flags=0x50003',
  '              wl-309     [000] ...1.    17.056482: try_grab_folio_ret: (follow_page_pte+0x12b/0x520 <- try_grab_folio) ret=0',
  '              wl-309     [000] ...2.    17.071904: mm_page_free_batched: page=000000006354c8b9 pfn=0x2fab order=0',
  '              wl-309     [000] .....    17.072987: mm_filemap_add_to_page_cache: dev 0:27 ino 35a1ad pfn=0x2fc1 ofs=790528 order=0',
  '              wl-309     [000] .....    17.221725: dma_map_sg: pinbug.0 dir=BIDIRECTIONAL nents=2/2 ents=2/2 dma_addrs={0x2f7c000,0x2fb0000} sizes={0x1000,0x1000} phys_addrs={0x2f7c000,0x2fb0000} attrs=',
  '              wl-309     [000] .....    17.225545: dma_unmap_sg: pinbug.0 dir=BIDIRECTIONAL phys_addrs={0x2f7c000,0x2fb0000} attrs=',
  '              wl-309     [000] .....    17.225868: unpin_user_pages: (unpin_user_pages+0x4/0xc0) npages=2 pages={0xffffea00000bdf00,0xffffea00000bec00,0x0,0x0,0x0,0x0,0x0,0x0}',
  '              wl-309     [000] .....    17.232232: dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 phys_addr=2fb0000 attrs=',
  '              wl-309     [000] .....    17.238705: dma_unmap_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 attrs=',
  '              wl-309     [000] .....    17.250776: get_user_pages_fast: (get_user_pages_fast+0x4/0x60) start=0x7f6bdd802000 nr=1 gup_flags=0x1 pages=0xffff888005833800',
  '              wl-309     [000] .....    17.250825: get_user_pages_fast_ret: (pb_ioctl+0xada/0x1010 [pinbug] <- get_user_pages_fast) ret=1',
  '              wl-309     [000] .....    17.444046: folio_mark_dirty: (folio_mark_dirty+0x4/0x50) folio=0xffffea00000bfb00',
  '              wl-309     [000] d..2.    17.459663: mm_filemap_delete_from_page_cache: dev 0:27 ino 35a1ad pfn=0x2f4a ofs=0 order=0',

  // Linux 6.12.117, Debian, nohash-ptr
  '            bash-205     [000] .....    16.667003: mm_page_alloc: page=fffff1484009cac0 pfn=0x272b order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '            bash-205     [000] .....    16.680182: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xfffff148404d7940 refs=1 flags=0x80000 vmemmap=0xfffff14840000000',
  '              wl-397     [000] .....    16.734439: folio_mark_dirty: (folio_mark_dirty+0x4/0x60) folio=0xfffff1484009dfc0 vmemmap=0xfffff14840000000',
  '              wl-397     [001] .....    16.746290: block_rq_issue: 259,0 RM 4096 () 16968 + 8 be,0,4 [wl]',
  '              wl-397     [001] d.h1.    16.747031: block_rq_complete: 259,0 RM () 16968 + 8 be,0,4 [0]',
  '              wl-397     [001] d..1.    16.769695: writeback_dirty_folio: bdi 259:0: ino=12 index=0',
  '              wl-397     [001] .....    16.779375: pin_user_pages_remote: (pin_user_pages_remote+0x4/0xb0) start=0x7f85be82e000 nr=1 gup_flags=0x0',
  '              wl-397     [001] .....    16.779548: pin_user_pages_remote_ret: (process_vm_rw_core.constprop.0+0x1de/0x4b0 <- pin_user_pages_remote) ret=1',
  '              wl-397     [001] .....    16.779827: unpin_user_pages_dirty_lock: (unpin_user_pages_dirty_lock+0x4/0xd0) npages=1 make_dirty=0 pages={0xfffff1484009c500,0x0,0x0,0x0,0x0,0x0,0x0,0x0} vmemmap=0xfffff14840000000',

  // Linux 6.1.192, Debian
  '            bash-173     [001] .....    23.567028: mm_page_alloc: page=00000000f7a6166e pfn=0x41ca order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '              wl-350     [000] ...1.    23.603195: try_grab_page: (try_grab_page+0x0/0x100) page=0xffffedfa00105f00 flags=0x2007 vmemmap=0xffffedfa00000000',
  '              wl-351     [000] .....    23.940717: dma_map_page_attrs: (dma_map_page_attrs+0x0/0x270) dev="0000:00:03.0" page=0xffffedfa00108000 offset=0x0 size=4096 dir=2 vmemmap=0xffffedfa00000000',
  '              wl-351     [000] .....    23.940971: dma_map_page_attrs_ret: (nvme_prep_rq.part.0+0x70e/0x910 [nvme] <- dma_map_page_attrs) dma_addr=0x4200000',
  '              wl-351     [000] .....    23.941082: block_rq_issue: 259,0 RM 4096 () 16968 + 8 [wl]',
  '          <idle>-0       [000] d.h1.    23.941478: dma_unmap_page_attrs: (dma_unmap_page_attrs+0x0/0x1c0) dev="0000:00:03.0" dma_addr=0x4200000 size=4096 dir=2',
  '          <idle>-0       [000] d.h1.    23.941495: block_rq_complete: 259,0 RM () 16968 + 8 [0]',
  '    kworker/u4:0-9       [001] ...1.    24.036434: writeback_start: bdi 254:0: sb_dev 0:0 nr_pages=15863 sync_mode=0 kupdate=1 range_cyclic=1 background=0 reason=periodic cgroup_ino=1',
  '    kworker/u4:0-9       [001] ...1.    24.036512: writeback_written: bdi 254:0: sb_dev 0:0 nr_pages=15863 sync_mode=0 kupdate=1 range_cyclic=1 background=0 reason=periodic cgroup_ino=1',
  '    kworker/u4:0-9       [001] .....    24.036644: writeback_single_inode_start: bdi 254:0: ino=266338304 state=I_DIRTY_PAGES|I_SYNC|0x20000 dirtied_when=4294897027 age=11 index=0 to_write=2048 wrote=0 cgroup_ino=1',
  '    kworker/u4:0-9       [001] .....    24.036710: folio_clear_dirty_for_io: (folio_clear_dirty_for_io+0x0/0x190) folio=0xffffedfa000e08c0 vmemmap=0xffffedfa00000000',
  '    kworker/u4:0-9       [001] .....    24.036749: wbc_writepage: bdi 254:0: towrt=2048 skip=0 mode=0 kupd=0 bgrd=1 reclm=0 cyclic=1 start=0x0 end=0x7fffffffffffffff cgroup_ino=1',
  '    kworker/u4:0-9       [001] .....    24.036797: __folio_start_writeback: (__folio_start_writeback+0x0/0x250) folio=0xffffedfa000e08c0 vmemmap=0xffffedfa00000000',
  '    kworker/u4:0-9       [001] .....    24.037069: writeback_single_inode: bdi 254:0: ino=266338304 state=I_SYNC|0x20000 dirtied_when=4294897027 age=11 index=0 to_write=2048 wrote=3 cgroup_ino=1',
  '              wl-350     [001] d.h1.    24.037532: folio_end_writeback: (folio_end_writeback+0x0/0x80) folio=0xffffedfa01761040 vmemmap=0xffffedfa00000000',
  '              wl-350     [001] .....    24.038156: dma_map_sgtable: (dma_map_sgtable+0x0/0x30) dev="0000:00:03.0" orig_nents=12 dir=1 page0=0xffffedfa00106c80 len0=4096 page1=0xffffedfa00106680 len1=4096 vmemmap=0xffffedfa00000000',
  '          <idle>-0       [001] d.H2.    24.040319: dma_unmap_sg_attrs: (dma_unmap_sg_attrs+0x0/0x50) dev="0000:00:03.0" nents=12 dir=1 page0=0xffffedfa00106c80 off0=0 len0=4096 page1=0xffffedfa00106680 off1=0 len1=4096 vmemmap=0xffffedfa00000000',
  '          <idle>-0       [001] dNH2.    24.040572: __bio_release_pages: (__bio_release_pages+0x0/0x2c0) bio=0xffff893d43829600 mark_dirty=0',
  '              wl-351     [000] .....    24.117456: folio_wait_writeback: bdi 259:0: ino=12 index=0',
  '              wl-353     [000] .....    24.710428: pin_user_pages: (pin_user_pages+0x0/0x50) start=0x7f2c56560000 nr=4 gup_flags=0x10001',
  '              wl-353     [000] .....    24.710617: pin_user_pages_ret: (io_pin_pages+0xc8/0x240 <- pin_user_pages) ret=4',
  '              wl-353     [000] .....    24.710925: io_uring_register: ring 00000000341eb258, opcode 0, nr_user_files 0, nr_user_bufs 2, ret 0',
  '              wl-353     [000] .....    24.713449: io_uring_submit_sqe: ring 00000000341eb258, req 00000000d926122e, user_data 0x0, opcode WRITE_FIXED, flags 0x0, non block 1, sq_thread 0',
  '              wl-353     [000] .....    24.713607: io_uring_file_get: ring 00000000341eb258, req 00000000d926122e, user_data 0x0, fd 4',
  '     iou-wrk-353-354     [000] ...1.    24.721686: io_uring_complete: ring 00000000341eb258, req 00000000d926122e, user_data 0x0, result 12288, cflags 0x0 extra1 0 extra2 0 ',
  '              wl-353     [000] .....    24.764896: gup_put_folio: (gup_put_folio+0x0/0xa0) folio=0xffffedfa002eb8c0 refs=1 flags=0x40000 vmemmap=0xffffedfa00000000',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF, fprobe events
  '            bash-101     [001] .....     9.072223: mm_page_alloc: page=00000000fe02cbec pfn=0x2736 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '            bash-101     [001] .....     9.075956: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea00016f2a40 refs=1 flags=524288',
  '            bash-101     [001] .....     9.075961: page_ref_mod_and_test: pfn=0x5bca9 flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000029a5a8f0 mt=1 val=-1024 ret=0',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF
  '            bash-104     [000] .....    18.846862: mm_page_alloc: page=000000003c500bec pfn=0x5bc96 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '            bash-104     [000] .....    18.884325: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea00000ce680 refs=1 flags=0x80000 vmemmap=0xffffea0000000000',
  '            bash-104     [000] .....    18.884331: page_ref_mod_and_test: pfn=0x339a flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=00000000d1a66b9e mt=1 val=-1024 ret=0',
  '            vfio-322     [000] .....    19.429500: map: IOMMU: iova=0x0000000000000000 - 0x0000000000002000 paddr=0x00000000036b4000 size=8192',
  '            vfio-322     [000] .....    19.429562: unmap: IOMMU: iova=0x0000000000000000 - 0x0000000000001000 size=4096 unmapped_size=4096',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF, record-tgid
  '            bash-103     (    103) [001] .....    15.327871: mm_page_alloc: page=00000000d364e1e2 pfn=0x5c0d9 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '            bash-103     (    103) [001] .....    15.344246: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea000009d740 refs=1 flags=0x80000',
  '            bash-103     (    103) [001] .....    15.344250: page_ref_mod_and_test: pfn=0x275d flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000012517ccd mt=1 val=-1024 ret=0',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF, latency-format
  '    bash-101       1..... 12058506us+: mm_page_alloc: page=000000008c37a092 pfn=0x5db2e order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  'kworker/-9         0..... 12060186us!: page_ref_mod_and_test: pfn=0xcf7b flags=none count=0 mapcount=-1 mapping=0000000000000000 mt=0 val=-1 ret=1',
  '    bash-101       1..... 12073406us : gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea00000cf340 refs=1 flags=0x80000',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF
  '            bash-101     [000] .....     9.644878: mm_page_alloc: page=000000006be9c367 pfn=0x26b3 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '     kworker/1:1-39      [001] .....     9.645203: page_ref_mod_and_test: pfn=0x74f0 flags=none count=0 mapcount=-1 mapping=0000000000000000 mt=0 val=-1 ret=1',
  '            bash-101     [000] .....     9.653182: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea000009e140 refs=1 flags=0x80000',
  '            bash-101     [000] .....     9.660991: page_ref_freeze: pfn=0xec00 flags=head count=0 mapcount=-1 mapping=0000000000000000 mt=1 val=1 ret=1',
  '          <idle>-0       [001] dNH1.     9.757715: unpin_user_folio: (unpin_user_folio+0x4/0x20) folio=0xffffea00003f0000 npages=55',
  '              wl-309     [001] d..1.     9.839317: page_ref_unfreeze: pfn=0xec00 flags=head count=1 mapcount=-201326592 mapping=0000000000000000 mt=1 val=1',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF, nohash-ptr
  '            bash-102     [000] .N...    14.546290: mm_page_alloc: page=ffffea000176ec00 pfn=0x5dbb0 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '            bash-102     [000] .....    14.583366: gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea00000cf840 refs=1 flags=0x80000',
  '            bash-102     [000] .....    14.583372: page_ref_mod_and_test: pfn=0x33e1 flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=ffff8880051d07b9 mt=1 val=-1024 ret=0',

  // Linux 6.1.192, Debian
  '            bash-173     [000] .....    13.236654: mm_page_alloc: page=00000000542d8496 pfn=0x2d8b order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  '              wl-350     [000] .....    13.344762: gup_put_folio: (gup_put_folio+0x0/0xa0) folio=0xfffff881000b7640 refs=1 flags=0x40000 vmemmap=0xfffff88100000000',
  '              wl-350     [000] .....    13.346316: dma_map_sg_attrs: (dma_map_sg_attrs+0x0/0x20) dev="pinbug.0" nents=1 dir=0 page0=0xfffff881000b7642 off0=0 len0=20480 page1=0x70616d6d656d7640 off1=1935762015 len1=913848933 vmemmap=0xfffff88100000000',

  // Linux 6.12.117 with CONFIG_DEBUG_PAGE_REF, function tracer
  '            bash-103     [001] .....    12.926577: gup_put_folio <-netfs_free_request',
  '    kworker/u8:2-47      [000] ...1.    13.047384: writeback_start: bdi 254:0: sb_dev 0:0 nr_pages=881 sync_mode=0 kupdate=1 range_cyclic=1 background=0 reason=periodic cgroup_ino=1',
  '    kworker/u8:2-47      [000] ...1.    13.047557: writeback_written: bdi 254:0: sb_dev 0:0 nr_pages=881 sync_mode=0 kupdate=1 range_cyclic=1 background=0 reason=periodic cgroup_ino=1',
  '    kworker/u8:2-47      [000] .N...    13.048360: writeback_single_inode_start: bdi 254:0: ino=290 state=I_DIRTY_SYNC|I_SYNC|I_SYNC_QUEUED dirtied_when=4294669769 age=12 index=0 to_write=9216 wrote=0 cgroup_ino=1',
  '    kworker/u8:2-47      [000] .....    13.048978: writeback_single_inode: bdi 254:0: ino=290 state=I_SYNC|I_SYNC_QUEUED dirtied_when=4294669769 age=12 index=0 to_write=9216 wrote=0 cgroup_ino=1',
];
