/** References: who holds a page, and which drop is whose. */
import {NVME, range, RDMA} from '../machine.js';
import {EVERY, H, NEW, P, Q, type Scene} from './scene.js';

export const COUNTS: readonly Scene[] = [
  {
    name: 'fork of a task whose page is pinned',
    why: 'the child gets a copy (copy_present_page(), mm/memory.c, since 5.9): one get and put of the old page',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.ref('page_ref_mod', P, 1);
      k.anon(Q);
      k.put(P);
      k.complete(P, 'FROM_DEVICE');
      k.by({task: 'child-501'}, () => k.munmap(Q));
      k.munmap(P);
    },
  },
  {
    name: 'compaction that cannot move a pinned page',
    why: 'page_ref_freeze() fails while there are more references than expected (folio_migrate_mapping(), mm/migrate.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      for (let i = 0; i < 10; i++) k.by({task: 'kcompactd0-40', cpu: 1}, () => k.tryToFreeze(P));
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'a fast grab undone, then the slow one',
    why: 'gup_fast_pte_range() lets go again when the PTE changed meanwhile (mm/gup.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {bare: true});
      k.putPinned(P);
      k.pin(P, {bare: true, slow: true});
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'the zero page, written by two tasks',
    why: 'its pins are not counted (try_grab_folio() and unpin_user_page(), mm/gup.c since 6.5)',
    on: EVERY,
    make(k) {
      const zero = k.pointer(5);
      const [grab, pin] = k.version === '6.12' ? ['try_grab_folio_fast', '0x80000'] : ['try_grab_folio', '0x40000'];
      const taken = (): void => {
        k.line(`${grab}: (${grab}+0x0/0x150) page=${zero} refs=1 flags=${pin}`);
        k.map(5, 'TO_DEVICE', NVME);
      };
      const dropped = (): void => {
        k.unmap(5, 'TO_DEVICE', NVME);
        k.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${zero} refs=1 flags=${pin}`);
      };
      taken();
      k.by({task: 'app-501', cpu: 1}, taken);
      k.interrupt(dropped);
      k.interrupt(dropped, 0);
    },
  },
  {
    name: 'a page whose parts are dealt out to packets, of 64 KiB',
    why: 'page_frag_alloc() takes as many references at once as a page has bytes, and drops what is left (mm/page_frag_cache.c)',
    on: ['counted'],
    make(k) {
      k.alloc(P);
      k.ref('page_ref_mod', P, 65_536);
      for (let i = 0; i < 6; i++) k.interrupt(() => k.put(P));
      k.put(P, 65_531);
    },
  },
  {
    name: 'a page that 1500 processes map, registered with a ring while they end',
    why: "what looks like a pin from before the trace is mappings: a database's shared memory, a library",
    on: ['counted'],
    make(k) {
      k.shared(P, 1500);
      k.by({task: 'backend-900', cpu: 1}, () => k.unmapOne(P));
      k.pin(P, {longterm: true});
      k.by({task: 'backend-901', cpu: 1}, () => {
        for (let i = 0; i < 1100; i++) k.unmapOne(P);
      });
      k.unpin(P);
    },
  },
  {
    name: 'a page of the hugetlb pool, handed out twice',
    why: 'it goes back to its pool without mm_page_free and out again by unfreezing (mm/hugetlb.c)',
    on: NEW,
    make(k) {
      k.alloc(H, 9);
      for (let i = 0; i < 2; i++) {
        k.pin(H, {n: 8});
        k.mapSg(range(H, 8), 'FROM_DEVICE');
        k.interrupt(() => {
          k.unmapSg(range(H, 8), 'FROM_DEVICE');
          k.putPinned(H, 8);
        });
        k.freeze(H, 1);
        k.unfreeze(H, 1);
      }
    },
  },
  {
    name: 'a page of a DAX file',
    why: 'ZONE_DEVICE pages of 6.12 are idle at one reference, are never allocated or freed, and put by another event',
    on: ['counted'],
    make(k) {
      k.reserved(P);
      k.pin(P);
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${k.pointer(P)} refs=1 flags=0x80000`);
      k.ref('page_ref_mod_and_return', P, -1024);
    },
  },
  {
    name: 'iommufd adds pins to a folio of a memfd',
    why: 'folio_add_pin() takes a pin without a grab, unpin_folios() drops both (drivers/iommu/iommufd/pages.c)',
    on: NEW,
    make(k) {
      k.file(P, {disk: false});
      k.pin(P, {slow: true, longterm: true, bare: true});
      k.line(`folio_add_pin: (folio_add_pin+0x0/0x50) folio=${k.pointer(P)}`);
      k.ref('page_ref_mod', P, 1024);
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.putPinned(P, 2);
    },
  },
  {
    name: 'iommufd adds the rest of the pins to a large folio of a memfd',
    why: 'memfd_pin_folios() takes one, folio_add_pins() one a page more, which is no function of the recording (drivers/iommu/iommufd/pages.c since 6.13)',
    on: ['counted'],
    make(k) {
      k.file(H, {disk: false, order: 9});
      k.pin(H, {slow: true, longterm: true, bare: true});
      k.ref('page_ref_mod', H, 511);
      k.wait(1000);
      k.line(
        `unpin_user_page_range_dirty_lock: (unpin_user_page_range_dirty_lock+0x0/0x90) page=${k.pointer(H)} npages=512 make_dirty=1`,
      );
      k.putPinned(H, 512);
    },
  },
  {
    name: 'a slow pin where only the fast path is probed',
    why: 'a probe that the kernel refused: the pin leaves no event, its unpin does',
    on: ['probed'],
    make(k) {
      k.anon(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'a range of a huge page unpinned in two calls',
    why: 'unpin_user_page_range_dirty_lock() takes any part of what was pinned (ib_umem, drivers/infiniband/core/umem.c)',
    on: EVERY,
    make(k) {
      k.anon(H, 9);
      k.pin(H, {n: 16, sub: H + 16});
      for (const sub of [H + 16, H + 24]) k.mapSg(range(sub, 8), 'BIDIRECTIONAL', RDMA);
      for (const sub of [H + 16, H + 24]) {
        k.unmapSg(range(sub, 8), 'BIDIRECTIONAL', RDMA);
        k.line(
          `unpin_user_page_range_dirty_lock: (unpin_user_page_range_dirty_lock+0x0/0x90) page=${k.pointer(sub)} npages=8 make_dirty=1`,
        );
        k.putPinned(H, 8);
      }
      k.munmap(H);
    },
  },
  ...(['pinByPmd', 'pinByPtes'] as const).flatMap((pin) =>
    [false, true].map((swapped): Scene => ({
      name: `two reads into one huge page (${pin}), ${swapped ? 'the later ends first' : 'in order'}`,
      why: 'the grab of a PMD names the head, a bio lets go of a folio and a number (unpin_user_folio(), block/bio.c)',
      on: NEW,
      make(k) {
        k.anon(H, 9);
        for (const sub of [H, H + 8]) {
          k[pin](H, sub, 8);
          k.mapSg(range(sub, 8), 'FROM_DEVICE');
        }
        k.wait(100);
        for (const sub of swapped ? [H + 8, H] : [H, H + 8]) {
          k.interrupt(() => {
            k.unmapSg(range(sub, 8), 'FROM_DEVICE');
            k.bioUnpin(H, 8);
          });
          k.wait(200);
        }
        k.munmap(H);
      },
    })),
  ),
  {
    name: 'one page under the reads of two tasks',
    why: 'pinned is a property of a reference: the first to end drops its own, the page stays pinned for the other',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.by({task: 'app-501', cpu: 1}, () => {
        k.pin(P);
        k.map(P, 'FROM_DEVICE', RDMA);
      });
      k.complete(P, 'FROM_DEVICE');
      k.wait(300);
      k.complete(P, 'FROM_DEVICE', RDMA);
      k.munmap(P);
    },
  },
  {
    name: 'a buffer registered three times',
    why: 'io_uring and RDMA pin it again for each registration; unregistering drops one pin at a time',
    on: EVERY,
    make(k) {
      k.anon(P);
      for (let i = 0; i < 3; i++) {
        k.pin(P, {longterm: true});
        k.map(P, 'BIDIRECTIONAL', RDMA);
      }
      for (let i = 0; i < 3; i++) {
        k.unmap(P, 'BIDIRECTIONAL', RDMA);
        k.unpin(P);
        k.wait(200);
      }
      k.munmap(P);
    },
  },
  {
    name: 'a get inside the life of a pin',
    why: 'ptrace and /proc/PID/mem look at a page with FOLL_GET (access_remote_vm(), mm/memory.c); their put is no unpin',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.by({task: 'gdb-700', cpu: 1}, () => {
        k.get(P, {slow: true, remote: true});
        k.put(P);
      });
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'munmap before the read has ended',
    why: 'the pin keeps the page when its last mapping goes; the unpin in the interrupt then frees it (mm/swap.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.munmap(P);
      k.wait(200);
      k.complete(P, 'FROM_DEVICE');
    },
  },
];
