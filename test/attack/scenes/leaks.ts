/** References that are left where the trace ends, and not for ever. */
import {type Machine, NVME, NIC} from '../machine.js';
import {EVERY, P, Q, type Scene} from './scene.js';

export const LEAKS: readonly Scene[] = [
  {
    name: 'a read in flight when the trace ends, its buffer unmapped',
    why: 'the pin is held until the device answers, and its mapping is live still',
    on: ['counted'],
    last: true,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.munmap(P);
      k.later();
    },
  },
  {
    name: 'a read whose pages a worker has not unpinned yet when the trace ends',
    why: 'bio_check_pages_dirty() leaves pages that were cleaned to a work item (block/bio.c), which waits for a CPU',
    on: ['counted'],
    last: true,
    make(k) {
      k.file(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.munmap(P);
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', NVME));
      k.wait(20_000);
      k.by({task: 'other-400'}, () => {
        k.anon(0x9200);
        k.munmap(0x9200);
      });
    },
  },
  {
    name: 'a read that a worker has not decrypted yet when the trace ends',
    why: 'the disk is done, and kcryptd_crypt() is not: the bio of the read ends after it (drivers/md/dm-crypt.c)',
    on: ['counted'],
    last: true,
    make: (k) => decrypted(k, 5_000),
  },
  {
    name: 'the same on a machine where that is seen to take long',
    why: 'another read took 20 ms from the end of its mapping to its unpin',
    on: ['counted'],
    last: true,
    make(k) {
      k.anon(Q);
      k.pin(Q);
      k.map(Q, 'FROM_DEVICE', NVME);
      k.interrupt(() => k.unmap(Q, 'FROM_DEVICE', NVME));
      k.wait(20_000);
      k.by({task: 'kworker/1:1-29', cpu: 1}, () => k.unpin(Q));
      decrypted(k, 30_000);
    },
  },
  {
    name: 'a read that failed and waits for another path, its buffer unmapped',
    why: 'blk_mq_requeue_request(): the driver unmaps, the request goes back into its queue, and its pages stay pinned (block/blk-mq.c)',
    on: ['counted'],
    make: retried,
  },
  {
    name: 'the same after thousands of others that failed',
    why: 'what is kept of each of them is bounded: the one that matters may be the last',
    on: ['counted'],
    make(k) {
      for (let i = 0; i < 10_001; i++) k.line(`block_rq_requeue: 8,0 R () ${i * 8} + 8 none,0,0 [0]`);
      retried(k);
    },
  },
  {
    name: 'a fixed buffer of io_uring after munmap',
    why: 'a long-term pin outlives the mapping by design (io_sqe_buffer_register(), io_uring/rsrc.c)',
    on: ['counted'],
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.wait(100);
      k.munmap(P);
    },
  },
  {
    name: 'a reference of a batch at the end',
    why: 'the LRU batches of a CPU hold a reference a page until they are drained (mm/swap.c)',
    on: ['counted'],
    make(k) {
      k.anon(P);
      k.get(P);
      k.put(P);
      k.ref('page_ref_mod', P, 1);
      k.munmap(P);
    },
  },
  {
    name: 'a long-term pin moved out of CMA within the call',
    why: 'the kernel unpins, migrates and pins the new page (migrate_longterm_unpinnable_folios(), mm/gup.c)',
    on: ['counted'],
    make(k) {
      k.anon(P, 0, 4);
      k.line(
        'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x40) start=0x7f0000000000 nr=1 gup_flags=0x101 pages=0xffff888100000000',
      );
      k.pin(P, {longterm: true, bare: true});
      k.putPinned(P);
      k.ref('page_ref_mod', P, 1);
      k.freeze(P, 2);
      k.anon(Q);
      k.pin(Q, {longterm: true, bare: true});
      k.line('pin_user_pages_fast_ret: (ib_umem_get+0x1/0x2 <- pin_user_pages_fast) ret=1');
      k.unpin(Q);
      k.munmap(Q);
    },
  },
  {
    name: 'vmsplice, then another task reads the pipe',
    why: 'the get goes with the pipe buffer (iter_to_pipe(), fs/splice.c): another task puts it',
    on: ['counted'],
    make(k) {
      k.anon(P);
      k.get(P, {write: false});
      k.wait(100);
      k.by({task: 'reader-501', cpu: 1}, () => k.put(P));
      k.munmap(P);
    },
  },
  {
    name: 'a registered buffer still in use at the end',
    why: 'the task lives, the page is mapped and the device works with it',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', NIC);
    },
  },
  {
    name: 'a pin handed to another task',
    why: 'the file of a ring or region is passed on (unix(7), SCM_RIGHTS), and its last user unpins',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.munmap(P);
      k.wait(400);
      k.by({task: 'heir-900', cpu: 1}, () => k.unpin(P));
    },
  },
];

/** A direct read that fails, and is put back into its queue, to be tried again some time. */
function retried(k: Machine): void {
  k.anon(P);
  k.pin(P);
  k.map(P, 'FROM_DEVICE', NVME);
  k.line('block_rq_issue: 259,0 R 4096 () 5000 + 8 none,0,0 [app]');
  k.munmap(P);
  k.interrupt(() => {
    k.unmap(P, 'FROM_DEVICE', NVME);
    k.line('block_rq_requeue: 259,0 R () 5000 + 8 none,0,0 [0]');
  });
}

/** The trace ends so long after the device was done. */
function decrypted(k: Machine, us: number): void {
  k.anon(P);
  k.pin(P);
  k.map(P, 'FROM_DEVICE', NVME);
  k.munmap(P);
  k.interrupt(() => k.unmap(P, 'FROM_DEVICE', NVME));
  k.wait(us);
  k.by({task: 'other-400'}, () => {
    k.anon(0x9200);
    k.munmap(0x9200);
  });
}
