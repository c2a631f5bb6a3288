/** Bugs of the same looks: who doubts everything finds none of them. */
import {NVME, range, RDMA} from '../machine.js';
import {EVERY, H, NEW, P, type Scene} from './scene.js';

export const BUGS: readonly Scene[] = [
  {
    name: 'tail pages of a huge page, unpinned before the unmap',
    why: 'one pin of pages 8 to 15 is dropped while the device has them',
    on: NEW,
    finds: 'unpin-while-dma',
    make(k) {
      k.anon(H, 9);
      k.pinByPmd(H, H + 8, 8);
      k.mapSg(range(H + 8, 8), 'FROM_DEVICE');
      k.wait(50);
      k.interrupt(() => k.bioUnpin(H, 8));
      k.wait(100);
      k.interrupt(() => k.unmapSg(range(H + 8, 8), 'FROM_DEVICE'));
      k.munmap(H);
    },
  },
  {
    name: 'a read into a file mapping while msync writes it',
    why: 'the device writes into the page that the disk is reading (pin_user_pages.rst, case 1)',
    on: EVERY,
    finds: 'writeback-while-pinned',
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', RDMA);
      k.flusher(() => k.writeOut(P));
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', RDMA));
      k.markDirty(P);
      k.unpin(P);
    },
  },
  {
    name: 'a page of a file read into while it is written, registered for reading as well',
    why: 'the read has a mapping of its own, which the device writes through',
    on: EVERY,
    finds: 'writeback-while-pinned',
    sure: [P],
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P, {write: false, longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.flusher(() => k.writeOut(P));
      k.complete(P, 'FROM_DEVICE');
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
    },
  },
  {
    name: 'an unpin before the unmap',
    why: 'the device still writes into a page that nobody keeps for it',
    on: EVERY,
    finds: 'unpin-while-dma',
    sure: [P],
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.unpin(P);
      k.wait(100);
      k.unmap(P, 'FROM_DEVICE', NVME);
      k.munmap(P);
    },
  },
  {
    name: 'an unpin before the unmap of what is sent',
    why: 'the page is of no file: the mapping can only be for the pin',
    on: EVERY,
    finds: 'unpin-while-dma',
    sure: [P],
    make(k) {
      k.anon(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', NVME);
      k.unpin(P);
      k.wait(100);
      k.unmap(P, 'TO_DEVICE', NVME);
      k.munmap(P);
    },
  },
  {
    name: 'an unpin while the second of two devices has the page',
    why: 'the first is done with it, the second is not',
    on: EVERY,
    finds: 'unpin-while-dma',
    sure: [P],
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.map(P, 'FROM_DEVICE', NVME);
      k.unmap(P, 'FROM_DEVICE', NVME);
      k.unpin(P);
      k.wait(100);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
    },
  },
  {
    name: 'a range of which a part is unpinned early',
    why: 'the device has all five pages, and three of them are let go',
    on: NEW,
    finds: 'unpin-while-dma',
    sure: range(P, 3),
    make(k) {
      for (const pfn of range(P, 5)) k.anon(pfn);
      for (const pfn of range(P, 5)) k.pin(pfn);
      k.mapSg(range(P, 5), 'FROM_DEVICE', RDMA);
      for (const pfn of range(P, 3)) k.unpin(pfn);
      k.wait(100);
      k.unmapSg(range(P, 5), 'FROM_DEVICE', RDMA);
      for (const pfn of range(P + 3, 2)) k.unpin(pfn);
    },
  },
  {
    name: 'one unpin too many',
    why: 'its pin was dropped before',
    on: EVERY,
    finds: 'unpin-without-pin',
    sure: [P],
    make(k) {
      k.anon(P);
      k.pin(P);
      k.unpin(P);
      k.unpin(P);
    },
  },
  {
    name: 'one page of a huge page unpinned once too often, while others of it are pinned',
    why: 'the call names the page: the pins that are left are of other pages',
    on: EVERY,
    finds: 'unpin-without-pin',
    sure: [H + 4],
    make(k) {
      k.anon(H, 9);
      k.pinByPtes(H, H + 4, 2);
      k.pinByPtes(H, H + 64, 2);
      k.unpin(H, {n: 2, sub: H + 4});
      k.unpin(H, {n: 1, sub: H + 4});
      k.unpin(H, {n: 2, sub: H + 64});
    },
  },
  {
    name: 'put_page() on a pin',
    why: 'a pin of a small page is 1024 references: 1023 are left for ever (pin_user_pages.rst)',
    on: ['counted'],
    finds: 'put-on-pin',
    make(k) {
      k.anon(P);
      k.pin(P);
      k.put(P);
      k.munmap(P);
    },
  },
  {
    name: 'a page freed under its mapping',
    why: 'the next owner of the page is written into',
    on: EVERY,
    finds: 'free-while-dma',
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.unpin(P);
      k.munmap(P);
      k.wait(100);
      k.unmap(P, 'FROM_DEVICE', NVME);
    },
  },
  {
    name: 'an unpin of what was got',
    why: 'pin_user_pages.rst: pages of get_user_pages() are put, never unpinned',
    on: NEW,
    finds: 'unpin-without-pin',
    make(k) {
      k.anon(P);
      k.get(P);
      k.unpin(P);
    },
  },
  {
    name: 'a pin that nobody drops',
    why: 'the mapping is gone and the page stays',
    on: ['counted'],
    finds: 'pin-leak',
    make(k) {
      k.anon(P);
      k.pin(P);
      k.munmap(P);
    },
  },
];
