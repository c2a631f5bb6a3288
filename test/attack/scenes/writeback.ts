/** Writeback and dirtying around pins. */
import {type Machine, NVME, RDMA} from '../machine.js';
import {EVERY, H, NEW, P, type Scene} from './scene.js';

export const WRITEBACK: readonly Scene[] = [
  {
    name: 'a page of shmem, pinned for long, that reclaim passes by',
    why: 'pin_user_pages.rst, case 2; pageout() keeps a page that others hold (is_page_cache_freeable(), mm/vmscan.c)',
    on: EVERY,
    make(k) {
      k.file(P, {disk: false});
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.by({task: 'kswapd0-50', cpu: 1}, () => {
        k.ref('page_ref_mod', P, 1);
        k.put(P);
      });
      k.wait(500);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.markDirty(P);
      k.unpin(P);
    },
  },
  {
    name: 'an anonymous page faulted back and pinned while it is swapped out',
    why: 'do_swap_page() maps a page of the swap cache under writeback (mm/memory.c): the slot is used no more',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.by({task: 'kswapd0-50', cpu: 1}, () => {
        k.startWriteback(P);
        k.map(P, 'TO_DEVICE', NVME);
      });
      k.ref('page_ref_mod', P, 1);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', RDMA);
      k.interrupt(() => {
        k.unmap(P, 'TO_DEVICE', NVME);
        k.endWriteback(P);
      });
      k.wait(50);
      k.complete(P, 'FROM_DEVICE', RDMA);
    },
  },
  {
    name: 'a pin for reading under writeback',
    why: 'a direct write from a file mapping: the device reads the page too (pin_user_pages.rst: only writing is the trouble)',
    on: EVERY,
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', RDMA);
      k.flusher(() => {
        k.startWriteback(P);
        k.map(P, 'TO_DEVICE', NVME);
      });
      k.complete(P, 'TO_DEVICE', RDMA);
      k.interrupt(() => {
        k.unmap(P, 'TO_DEVICE', NVME);
        k.endWriteback(P);
      });
    },
  },
  ...(['pin', 'get'] as const).map((kind): Scene => {
    return {
      name: `a region of a file registered for reading (${kind}), written back`,
      why: 'ib_umem_get() maps for both directions whatever the region is for, and pins for writing only what may be written (drivers/infiniband/core/umem.c)',
      on: EVERY,
      make(k) {
        k.file(P);
        k.markDirty(P);
        k[kind](P, {write: false, longterm: true});
        k.map(P, 'BIDIRECTIONAL', RDMA);
        k.wait(1000);
        k.flusher(() => k.writeOut(P));
        k.dirtied(P, 1);
        k.wait(1000);
        k.unmap(P, 'BIDIRECTIONAL', RDMA);
        if (kind === 'pin') k.unpin(P);
        else k.put(P);
      },
    };
  }),
  {
    name: 'the same beside a read into it that has ended',
    why: 'which of the two pins is left does not show: the mapping may be of the one that is for reading',
    on: EVERY,
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P, {write: false, longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.flusher(() => k.writeOut(P));
      k.wait(400);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
    },
  },
  {
    name: 'a bounced mapping under writeback',
    why: 'the device writes into the bounce buffer; the page changes at the unmap only (kernel/dma/swiotlb.c)',
    on: NEW,
    allows: 'dirty-after-writeback', // it changes after it was cleaned, whoever copies
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P);
      k.mapBounced(P, 'FROM_DEVICE');
      k.flusher(() => k.writeOut(P));
      k.wait(500);
      k.interrupt(() => {
        k.unmapBounced('FROM_DEVICE');
        k.markDirty(P);
        k.unpin(P);
      });
    },
  },
  {
    name: 'a device without the DMA API, the unpin missed in an interrupt',
    why: 'virtio without VIRTIO_F_ACCESS_PLATFORM maps nothing; a kprobe that hits within another is skipped (kprobes.rst)',
    on: ['probed', 'old'],
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P);
      k.wait(2000);
      k.flusher(() => {
        k.startWriteback(P);
        k.wait(100);
        k.endWriteback(P);
      });
    },
  },
  {
    name: 'the end of a writeback missed in an interrupt',
    why: 'a page under writeback cannot go under it again (folio_start_writeback()): the pin in between met none',
    on: ['probed', 'old'],
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.flusher(() => {
        k.startWriteback(P);
        k.map(P, 'TO_DEVICE', NVME);
      });
      k.interrupt(() => k.unmap(P, 'TO_DEVICE', NVME));
      k.wait(900);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', RDMA);
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', RDMA));
      k.markDirty(P);
      k.unpin(P);
      k.wait(900);
      k.flusher(() => k.writeOut(P));
    },
  },
  {
    name: 'a read that waits for the writeback before it',
    why: 'the writeback has ended when the pin is taken, and the next begins after the unpin',
    on: EVERY,
    make(k) {
      k.file(P);
      for (let i = 0; i < 3; i++) {
        k.markDirty(P);
        k.flusher(() => k.writeOut(P));
        k.pin(P);
        k.map(P, 'FROM_DEVICE', RDMA);
        k.interrupt(() => k.unmap(P, 'FROM_DEVICE', RDMA));
        k.markDirty(P);
        k.unpin(P);
      }
      k.flusher(() => k.writeOut(P));
    },
  },
  {
    name: 'a pin that an interrupt delays until the writeback has ended',
    why: 'the probe is where try_grab_folio() begins; the count changes after (mm/gup.c)',
    on: ['probed'],
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.flusher(() => k.startWriteback(P));
      k.line(`try_grab_folio: (try_grab_folio+0x0/0x150) folio=${k.pointer(P)} refs=1 flags=0x80001`);
      k.by({irq: true}, () => k.endWriteback(P));
      k.line('try_grab_folio_ret: (follow_page_pte+0x12b/0x520 <- try_grab_folio) ret=0');
      k.map(P, 'FROM_DEVICE', RDMA);
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', RDMA));
      k.markDirty(P);
      k.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${k.pointer(P)} refs=1 flags=0x80000`);
    },
  },
  {
    name: 'a store by the program after its read has ended',
    why: 'the page was cleaned and mapped for reading only: the write fault marks it dirty (do_page_mkwrite(), mm/memory.c)',
    on: EVERY,
    make(k) {
      k.file(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', RDMA);
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', RDMA));
      k.markDirty(P);
      k.unpin(P);
      k.wait(500);
      k.flusher(() => k.writeOut(P));
      k.wait(500);
      k.markDirty(P);
      k.flusher(() => k.writeOut(P));
    },
  },
  {
    name: 'a registered page of a file, written back long after a read by a device that never unmaps',
    why: 'dma_need_unmap() is false (kernel/dma/mapping.c): the device was done at the completion, which is not recorded',
    on: NEW,
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P, {longterm: true});
      k.map(P, 'FROM_DEVICE', 'lazy.0');
      k.wait(50_000);
      k.flusher(() => k.writeOut(P));
      k.wait(500);
      k.unpin(P);
    },
  },
  ...(['a store', 'a write()'] as const).map((what): Scene => {
    return {
      name: `${what} by the program into a registered page, long before it is unpinned`,
      why: 'some file systems mark a page once in a write fault (vfat), or in a write() (btrfs, f2fs): the marking is of the program, and they know of it',
      on: EVERY,
      allows: 'writeback-while-pinned',
      make(k) {
        if (what === 'a write()') {
          k.file(0x9300);
          k.dirtied(0x9300, 2);
        }
        cleanedUnderPin(k, {longterm: true});
        k.wait(50_000);
        k.dirtied(P, 1);
        k.wait(50_000);
        k.unpin(P);
      },
    };
  }),
  {
    name: 'a write() into a registered page that another task looks at meanwhile',
    why: 'each takes the page and lets go (filemap_get_folio()): who took it last need not have marked it',
    on: EVERY,
    allows: 'writeback-while-pinned',
    make(k) {
      cleanedUnderPin(k, {longterm: true});
      k.wait(50_000);
      k.ref('page_ref_mod_unless', P, 1);
      k.by({task: 'other-400', cpu: 1}, () => {
        k.ref('page_ref_mod_unless', P, 1);
        k.put(P);
      });
      k.markDirty(P);
      k.put(P);
      k.wait(50_000);
      k.unpin(P);
    },
  },
  {
    name: 'a write() to a page that a read was unpinned from',
    why: 'btrfs and f2fs mark a page twice in a write fault, and once in a write() (btrfs_dirty_folio(), f2fs_write_end())',
    on: EVERY,
    allows: 'writeback-while-pinned',
    make(k) {
      k.file(0x9300);
      k.dirtied(0x9300, 2);
      cleanedUnderPin(k);
      k.unpin(P);
      k.wait(50_000);
      k.dirtied(P, 1);
    },
  },
  {
    name: 'a program that fills a large folio whose pins were dropped',
    why: 'nothing was read: a later page could not be pinned, and no page is marked (ib_umem_get()). Each page written is a fault, and each fault marks the folio twice',
    on: EVERY,
    allows: 'writeback-while-pinned',
    make(k) {
      k.file(0x9300);
      k.flusher(() => k.writeOut(0x9300));
      k.file(0x9301);
      k.dirtied(0x9301, 2);
      k.file(H, {order: 2});
      k.markDirty(H);
      k.pin(H, {n: 4, sub: H});
      k.flusher(() => k.writeOut(H));
      k.unpin(H, {n: 4});
      k.wait(50_000);
      for (let i = 0; i < 4; i++) k.dirtied(H, 2);
    },
  },
  {
    name: 'a registered page whose file is cut short in it, with call stacks',
    why: 'the rest of the page is zeroed and marked (btrfs_truncate_block(), truncate_partial_data_page() of f2fs): no write() and no fault',
    on: EVERY,
    allows: 'writeback-while-pinned',
    make(k) {
      cleanedUnderPin(k, {longterm: true});
      k.wait(50_000);
      k.ref('page_ref_mod_unless', P, 1);
      k.markDirty(P);
      k.stack('folio_mark_dirty', 'btrfs_truncate_block', 'btrfs_setsize', 'btrfs_setattr', 'notify_change');
      k.put(P);
      k.wait(50_000);
      k.unpin(P);
    },
  },
  {
    name: 'the flusher and a debugger that reads',
    why: 'FOLL_GET without FOLL_WRITE looks at the page; nothing of it changes under writeback',
    on: EVERY,
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.by({task: 'gdb-700'}, () => k.get(P, {write: false, slow: true, remote: true}));
      k.flusher(() => k.writeOut(P));
      k.by({task: 'gdb-700'}, () => k.put(P));
    },
  },
];

/** A page of a file is read into under a pin, and written back meanwhile: it is clean then, and pinned. */
function cleanedUnderPin(k: Machine, pin: {longterm?: boolean} = {}): void {
  k.file(P);
  k.markDirty(P);
  k.pin(P, pin);
  k.map(P, 'FROM_DEVICE', RDMA);
  k.flusher(() => k.startWriteback(P));
  k.wait(100);
  k.interrupt(() => {
    k.unmap(P, 'FROM_DEVICE', RDMA);
    k.endWriteback(P);
  });
}
