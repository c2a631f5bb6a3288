/** Large folios that several users have at once: of which pages a drop is, where it names the folio and a number only. */
import {type Machine, NVME, range, RDMA} from '../machine.js';
import {EVERY, H, NEW, P, type Scene} from './scene.js';

/** Pages that are mapped one by one: each grab names its page. */
function folio(k: Machine): void {
  k.anon(H, 4);
}

/** Neighbouring pages are one entry of a list. */
function mapRun(k: Machine, first: number, n: number): void {
  const address = (first * 4096).toString(16);
  k.line(`dma_map_page: ${NVME} dir=FROM_DEVICE dma_addr=${address} size=${n * 4096} phys_addr=${address} attrs=`);
}

function unmapRun(k: Machine, first: number, n: number): void {
  k.line(`dma_unmap_page: ${NVME} dir=FROM_DEVICE dma_addr=${(first * 4096).toString(16)} size=${n * 4096} attrs=`);
}

export const FOLIOS: readonly Scene[] = [
  {
    name: 'a read by a disk that maps nothing ends just after one under registered pages',
    why: 'the unmap before the unpin is of an I/O whose pins stay: as many pages, and others (io_uring/rw.c, virtio-blk)',
    on: NEW,
    make(k) {
      folio(k);
      k.pinByPtes(H, H + 8, 4);
      mapRun(k, H + 8, 4);
      mapRun(k, H + 9, 2);
      k.by({task: 'dd-600', cpu: 0}, () => k.pinByPtes(H, H, 4));
      k.interrupt(() => unmapRun(k, H + 8, 4));
      k.wait(300);
      k.interrupt(() => k.bioUnpin(H, 4));
      k.wait(300);
      k.interrupt(() => unmapRun(k, H + 9, 2));
      k.bioUnpin(H, 4);
      k.munmap(H);
    },
  },
  {
    name: 'a read that was split ends after another of as many pages',
    why: 'its last part is unmapped, all of it is unpinned: the mapping of that many pages before it is of another (bio_split())',
    on: NEW,
    make(k) {
      folio(k);
      k.pinByPtes(H, H + 8, 4);
      mapRun(k, H + 8, 4);
      mapRun(k, H + 10, 2);
      k.by({task: 'dd-600', cpu: 0}, () => {
        k.pinByPtes(H, H, 4);
        mapRun(k, H, 3);
        mapRun(k, H + 3, 1);
      });
      k.interrupt(() => unmapRun(k, H, 3), 0);
      k.interrupt(() => unmapRun(k, H + 8, 4));
      k.wait(300);
      k.interrupt(() => {
        unmapRun(k, H + 3, 1);
        k.bioUnpin(H, 4);
      });
      k.wait(300);
      k.interrupt(() => unmapRun(k, H + 10, 2));
      k.bioUnpin(H, 4);
      k.munmap(H);
    },
  },
  {
    name: 'two reads of overlapping pages of a folio, the longer ends first',
    why: 'a drop of two pages is one pin of each, never two of the first',
    on: EVERY,
    make(k) {
      folio(k);
      k.pinByPtes(H, H + 4, 1);
      k.mapSg([H + 4], 'FROM_DEVICE', RDMA);
      k.by({task: 'dd-600', cpu: 0}, () => {
        k.pinByPtes(H, H + 4, 2);
        k.mapSg(range(H + 4, 2), 'FROM_DEVICE');
      });
      k.interrupt(() => {
        k.unmapSg(range(H + 4, 2), 'FROM_DEVICE');
        k.putPinned(H, 2);
      });
      k.wait(300);
      k.unmapSg([H + 4], 'FROM_DEVICE', RDMA);
      k.unpin(H, {n: 1, sub: H + 4});
      k.munmap(H);
    },
  },
  {
    name: 'two reads that begin with one page, the longer ends first',
    why: 'dma_unmap_sg names where its entries begin, not how long they are: what is left is a mapping of the first page',
    on: NEW,
    make(k) {
      folio(k);
      const map = (n: number): void => {
        const at = `{0x${((H + 4) * 4096).toString(16)}}`;
        k.line(
          `dma_map_sg: ${NVME} dir=FROM_DEVICE nents=1/1 ents=1/1 dma_addrs=${at} sizes={0x${n}000} phys_addrs=${at} attrs=`,
        );
      };
      k.pinByPtes(H, H + 4, 1);
      map(1);
      k.by({task: 'dd-600', cpu: 0}, () => {
        k.pinByPtes(H, H + 4, 4);
        map(4);
        k.unmapSg([H + 4], 'FROM_DEVICE');
        k.unpin(H, {n: 4, sub: H + 4});
      });
      k.wait(300);
      k.unmapSg([H + 4], 'FROM_DEVICE');
      k.unpin(H, {n: 1, sub: H + 4});
      k.munmap(H);
    },
  },
  {
    name: 'a grab undone after an unpin of other pages by the same task is over',
    why: 'the list of unpin_user_page_range_dirty_lock() tells nothing of drops that come after its own',
    on: EVERY,
    make(k) {
      folio(k);
      k.pinByPtes(H, H + 1, 3);
      k.by({task: 'fio-600', cpu: 0}, () => {
        k.pinByPtes(H, H + 4, 4);
        k.mapSg(range(H + 4, 4), 'TO_DEVICE');
      });
      k.line(
        `unpin_user_page_range_dirty_lock: (unpin_user_page_range_dirty_lock+0x4/0x90) page=${k.pointer(H + 1)} npages=3 make_dirty=0`,
      );
      k.putPinned(H, 3);
      k.line(
        'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7fe71160a000 nr=2 gup_flags=0x1 pages=0xffff888025ccde80',
      );
      k.pinByPtes(H, H + 10, 2);
      k.putPinned(H);
      k.pin(H, {sub: H + 11, bare: true});
      k.line('pin_user_pages_fast_ret: (iov_iter_extract_pages+0x2e/0x70 <- pin_user_pages_fast) ret=2');
      k.wait(100);
      k.by({task: 'fio-600', cpu: 0}, () => {
        k.unmapSg(range(H + 4, 4), 'TO_DEVICE');
        k.unpin(H, {n: 4, sub: H + 4});
      });
      for (const sub of [H + 10, H + 11]) k.unpin(H, {n: 1, sub});
      k.munmap(H);
    },
  },
  {
    name: 'a grab of a folio undone, while others hold its pages',
    why: 'gup_fast_pte_range() lets go of the page it grabbed last, and the slow path takes it (mm/gup.c)',
    on: EVERY,
    make(k) {
      folio(k);
      for (const [task, undone] of [
        ['app-500', true],
        ['other-600', false],
      ] as const) {
        k.by({task}, () => {
          k.line(
            'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7fe711604000 nr=2 gup_flags=0x1 pages=0xffff888025ccde80',
          );
          k.pinByPtes(H, H + 4, 2);
          if (undone) {
            k.putPinned(H);
            k.pin(H, {sub: H + 5, bare: true});
          }
          k.line('pin_user_pages_fast_ret: (iov_iter_extract_pages+0x2e/0x70 <- pin_user_pages_fast) ret=2');
        });
      }
      for (const task of ['app-500', 'other-600']) {
        k.by({task}, () => {
          for (const sub of [H + 4, H + 5]) k.unpin(H, {n: 1, sub});
        });
      }
      k.munmap(H);
    },
  },
  {
    name: 'an unpin of a folio that is preempted between its probe and its event',
    why: 'another task pins on that CPU meanwhile: the change that comes after is still of the unpin (CONFIG_PREEMPT)',
    on: ['counted'],
    make(k) {
      folio(k);
      k.anon(P);
      k.pinByPtes(H, H, 4);
      const pin = `gup_put_folio: (gup_put_folio+0x0/0x90) folio=${k.pointer(H)} refs=4 flags=0x80000`;
      k.line(pin);
      k.by({task: 'gdb-700'}, () => {
        k.get(P);
        k.put(P);
      });
      k.put(H, 4);
      k.pinByPtes(H, H, 8);
      k.bioUnpin(H, 4);
      k.bioUnpin(H, 4);
      k.munmap(H);
    },
  },
  {
    name: 'unpins of a folio by functions that have gup_put_folio() inlined',
    why: 'since 6.18 unpin_user_folio() is followed by the change of the count alone',
    on: ['counted'],
    make(k) {
      folio(k);
      for (let i = 0; i < 2; i++) {
        k.pinByPtes(H, H, 4);
        k.mapSg(range(H, 4), 'FROM_DEVICE');
        k.interrupt(() => {
          k.unmapSg(range(H, 4), 'FROM_DEVICE');
          k.line(`unpin_user_folio: (unpin_user_folio+0x4/0x80) folio=${k.pointer(H)} npages=4`);
          k.put(H, 4);
        });
        k.wait(200);
      }
      k.munmap(H);
    },
  },
  {
    name: 'an unpin of a page of a folio that another compiler inlined',
    why: 'gup_put_folio() is static: unpin_user_page(), which is not probed, may hold a copy of it in any release (mm/gup.c)',
    on: ['counted'],
    make(k) {
      k.anon(H, 9);
      k.pin(H, {sub: H + 3});
      k.wait(300);
      k.put(H);
      k.munmap(H);
    },
  },
  {
    name: 'a missed probe on the unpin of pages that were grabbed one by one',
    why: 'a kprobe within a kprobe is skipped (kprobes.rst): the change of the count may be the drop of any four of them',
    on: ['counted'],
    make(k) {
      folio(k);
      k.pinByPtes(H, H, 4);
      k.interrupt(() => k.put(H, 4));
      k.munmap(H);
    },
  },
];

export const FOLIO_BUGS: readonly Scene[] = [
  {
    name: 'one of two reads of a folio lets go of its pages early',
    why: 'the call names the pages, and no other pin is on them',
    on: NEW,
    finds: 'unpin-while-dma',
    sure: range(H + 8, 4),
    make(k) {
      folio(k);
      k.pinByPtes(H, H, 4);
      k.mapSg(range(H, 4), 'FROM_DEVICE', RDMA);
      k.by({task: 'dd-600', cpu: 0}, () => {
        k.pinByPtes(H, H + 8, 4);
        k.mapSg(range(H + 8, 4), 'FROM_DEVICE');
        k.unpin(H, {n: 4, sub: H + 8});
        k.wait(200);
        k.interrupt(() => k.unmapSg(range(H + 8, 4), 'FROM_DEVICE'));
      });
      k.unmapSg(range(H, 4), 'FROM_DEVICE', RDMA);
      k.unpin(H, {n: 4, sub: H});
      k.munmap(H);
    },
  },
  {
    name: 'put_page() on each pin of a folio whose pages were grabbed one by one',
    why: 'the count balances, and the folio is freed with its pin count up: each of its pages was',
    on: ['counted'],
    finds: 'put-on-pin',
    sure: range(H, 4),
    make(k) {
      k.announce('unpin_user_page', 'unpin_user_folio');
      folio(k);
      k.pinByPtes(H, H, 4);
      for (let i = 0; i < 4; i++) k.put(H);
      k.munmap(H);
    },
  },
];
