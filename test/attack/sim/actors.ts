/**
 * Who holds pages, and for what: each actor is a task that does one kind of work again and again, rightly, unless the plan
 * of the run asks for a bug of it.
 */
import type {Device, Mapping} from './device.js';
import type {Kernel} from './kernel.js';
import type {Region} from './memory.js';
import {Disk, type Storage} from './storage.js';
import type {Hold} from './truth.js';
import {Completion, type Deed} from './world.js';

export type Bug =
  | 'early-unpin'
  | 'unpin-before-unmap'
  | 'double-unpin'
  | 'put-on-pin'
  | 'leak'
  | 'late-dirty'
  | 'early-put'
  | 'unpin-of-get'
  | 'early-unpin-and-free';

/** What only some machines have and do. A run has a few of them, so that they meet in all ways. */
export const FEATURES = [
  'polled',
  'handed',
  'merged',
  'mirrored',
  'legacy',
  'split',
  'hugetlb',
  'given-back',
  'cma',
  'reclaim',
  'zero',
  'deferred',
  'pipes',
  'sockets',
  // of the recording
  'no context',
  'some tasks',
  'overwritten',
] as const;
/** Those that came later: each is chosen by itself, so that a seed from before is still the same run. */
export const LATER_FEATURES = [
  // pages of 4, 16 or 64 KiB
  'arm64',
  'poisoned',
  'moved',
  'memfd',
  // of the recording
  'filters',
  'paused',
  'cut file',
  'clocks',
  // and memory that is faulted in by who takes it
  'stacks',
  // of several kinds of work
  'one program',
  // pages of a folio that was freed are handed out one by one, and together again
  'buddy',
] as const;
export type Feature = (typeof FEATURES)[number] | (typeof LATER_FEATURES)[number];

export class Stage {
  /** bugs yet to be made */
  left: number;

  constructor(
    readonly k: Kernel,
    readonly regions: Region[],
    readonly until_ns: number,
    readonly bug: Bug | undefined,
    readonly features: ReadonlySet<Feature> = new Set(),
  ) {
    this.left = bug === undefined ? 0 : 1 + k.w.random.below(3);
  }

  /** Whether a bug is to be made here. */
  errs(bug: Bug): boolean {
    if (this.bug !== bug || this.left === 0 || !this.k.w.random.chance(0.5)) return false;
    this.left--;
    return true;
  }

  get over(): boolean {
    return this.k.w.now >= this.until_ns;
  }

  /** A range of a region that is mapped. */
  range(
    most: number,
    kinds: readonly string[] = ['anon', 'shmem'],
  ): {region: Region; at: number; n: number} | undefined {
    const {random} = this.k.w;
    const mapped = this.regions.filter((region) => region.mapped && kinds.includes(region.kind));
    if (mapped.length === 0) return undefined;
    const region = random.of(mapped);
    const at = random.below(region.spots.length);
    return {region, at, n: 1 + random.below(Math.min(most, region.spots.length - at))};
  }
}

/** Lets go of pins, by one of the ways that drivers use. */
export function* unpin(k: Kernel, holds: readonly Hold[], dirty: boolean): Deed {
  if (holds.length === 0) return;
  const {random} = k.w;
  const adjacent = holds.every((hold, i) => i === 0 || hold.first === holds[i - 1]!.first + 1);
  const way = random.below(4);
  if (way === 0 && dirty) return yield* k.unpinDirtyLock(holds, true);
  if (way === 1 && adjacent && k.build.release !== '5.10') return yield* k.unpinRange(holds, dirty);
  if (dirty)
    for (const hold of holds) {
      yield* k.lock(hold.folio);
      yield* k.w.within('set_page_dirty_lock', k.markDirty(hold.folio, [hold]));
      k.unlock(hold.folio);
    }
  if (way === 2) for (const hold of holds) yield* k.unpinOne(hold);
  else yield* k.unpinPages(holds);
}

function spotsOf(holds: readonly Hold[]) {
  return holds.map(({folio, first}) => ({folio, pfn: first}));
}

/** Direct reads and writes: pins from 6.5 on, gets before; several in flight; let go of by the bio, or a worker where pages were cleaned. */
export function* directIo(stage: Stage, disk: Storage, kinds: readonly string[]): Deed {
  const {k} = stage;
  const {w} = k;
  let flying = 0;
  while (!stage.over) {
    yield {sleep: w.between(20_000, 800_000), idle: true};
    if (k.thorough && w.random.chance(0.3)) yield* useFile(stage, disk, stage.range(1, ['file'])?.region);
    if (flying > 4) continue;
    const range = stage.range(12, kinds);
    if (range === undefined) return;
    const {region, at, n} = range;
    const read = w.random.chance(0.6);
    const kind = k.old ? 'get' : 'pin';
    let holds = yield* region.gup(kind, at, n, {write: read, slow: w.random.chance(0.05)});
    if (holds.length === 0) continue;
    if (holds.length > 2 && w.random.chance(0.1)) {
      // the bio takes fewer
      const rest = holds.slice(holds.length - 2);
      holds = holds.slice(0, -2);
      if (kind === 'get') for (const hold of rest) yield* k.putHolds(hold.folio, [hold]);
      else for (const hold of rest) yield* k.unpinOne(hold);
    }
    if (w.random.chance(0.03)) {
      // EAGAIN: nothing is sent
      yield* k.bioRelease(holds, false);
      continue;
    }
    // one page twice in a request: readv() of two buffers in it
    if (w.random.chance(0.1)) holds.push(...(yield* region.gup(kind, at, 1, {write: read})));
    // fs/direct-io.c: the bio has pins of its own
    const legacy = kind === 'pin' && stage.features.has('legacy') && w.random.chance(0.5);
    let after: Hold[] = [];
    if (legacy) [holds, after] = yield* repin(k, holds);
    if (read)
      for (const folio of new Set(holds.map((hold) => hold.folio)))
        yield* w.within('bio_set_pages_dirty', k.markDirty(folio));
    flying++;
    let mine = holds;
    const done = new Completion();
    const end = function* (): Deed {
      const some = mine;
      mine = [];
      const clean = read && some.some(({folio}) => !folio.flags.has('dirty'));
      const finish = function* (): Deed {
        yield* k.bioRelease(some, clean);
        flying--;
      };
      if (clean) w.spawn(w.task('kworker/1:2'), finish());
      else yield* finish();
      w.complete(done);
    };
    const early = stage.errs(kind === 'pin' ? 'early-unpin' : 'early-put');
    yield* disk.submit(read ? 'FROM_DEVICE' : 'TO_DEVICE', spotsOf(holds), holds, end);
    for (const hold of after) yield* k.unpinOne(hold);
    if (early && mine.length > 0) {
      const some = mine;
      mine = [];
      if (kind === 'pin') yield* k.unpinPages(some);
      else for (const hold of some) yield* k.putHolds(hold.folio, [hold]);
    }
    if (w.random.chance(0.6)) yield done;
  }
}

/** The same program stores to its file's memory, or calls write() or fsync(). */
function* useFile({k}: Stage, disk: Storage, region: Region | undefined): Deed {
  const {w} = k;
  if (region?.kind !== 'file' || !(yield* region.lock())) return;
  const {folio} = w.random.of(region.spots);
  region.enter();
  region.unlock();
  if (!folio.free && folio.kind === 'file') {
    const how = w.random.below(3);
    if (how === 0) yield* k.writeFault(folio);
    else if (how === 1) yield* w.within(['btrfs_dirty_folio', 'btrfs_buffered_write', 'vfs_write'], k.writeTo(folio));
    else if (disk instanceof Disk) yield* w.within(['ext4_writepages', 'filemap_fdatawrite_wbc'], disk.sync(folio));
  }
  region.leave();
}

/** do_direct_IO(): a pin for the page at hand, one for the bio, and the caller's goes as soon as the next page comes. */
function* repin(k: Kernel, holds: readonly Hold[]): Deed<[bio: Hold[], left: Hold[]]> {
  const bio: Hold[] = [];
  let current: Hold | undefined;
  for (const hold of holds) {
    if (current !== undefined) {
      bio.push(yield* k.addPin(current));
      yield* k.unpinOne(current);
    }
    current = yield* k.addPin(hold);
    yield* k.unpinOne(hold);
  }
  if (current !== undefined) bio.push(yield* k.addPin(current));
  return [bio, current === undefined ? [] : [current]];
}

/** A driver that maps user memory for long (RDMA, V4L2, AF_XDP): pins long-term, maps whole, in parts or for two devices. */
export function* register(stage: Stage, devices: readonly Device[], disk: Disk): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(50_000, 2_000_000), idle: true};
    const ofFile = stage.bug === 'late-dirty' || (k.thorough && w.random.chance(0.3));
    const range = stage.range(32, ofFile ? ['file'] : undefined);
    if (range === undefined) return;
    const {region, at, n} = range;
    const holds = yield* region.gup('pin', at, n, {
      write: true,
      longterm: !(k.thorough && ofFile) && w.random.chance(0.8),
      slow: w.random.chance(0.2),
    });
    if (holds.length === 0) continue;
    const mappings: {device: Device; mapping: Mapping}[] = [];
    const cut = holds.length > 1 && w.random.chance(0.3) ? 1 + w.random.below(holds.length - 1) : holds.length;
    const dir = w.random.of(['BIDIRECTIONAL', 'FROM_DEVICE', 'TO_DEVICE'] as const);
    for (const device of w.random.chance(0.15) ? devices : [w.random.of(devices)])
      for (const part of [holds.slice(0, cut), holds.slice(cut)])
        if (part.length > 0) mappings.push({device, mapping: yield* device.map(dir, spotsOf(part), holds)});
    for (let i = w.random.below(4); i > 0; i--) {
      yield {sleep: w.between(50_000, 1_000_000), idle: true};
      if (k.thorough) yield* useFile(stage, disk, region);
      const {device, mapping} = w.random.of(mappings);
      if (w.random.chance(0.3)) {
        // registered anew under the same pins
        yield* device.unmap(mapping);
        mappings.splice(
          mappings.findIndex((m) => m.mapping === mapping),
          1,
          {device, mapping: yield* device.map(dir, spotsOf(holds.filter((h) => mapping.pages.has(h.first))), holds)},
        );
      } else yield* device.sync(mapping);
    }
    const dirty = dir !== 'TO_DEVICE' && w.random.chance(0.7);
    const end = function* (): Deed {
      if (stage.errs('unpin-before-unmap') || stage.errs('early-unpin')) {
        yield* unpin(k, holds, dirty);
        if (w.random.chance(0.5)) yield {sleep: w.between(20_000, 500_000), idle: true};
        for (const {device, mapping} of mappings) yield* device.unmap(mapping);
        return;
      }
      if (stage.errs('early-unpin-and-free')) {
        yield* unpin(k, holds, dirty);
        yield* region.munmap();
        yield {sleep: w.between(20_000, 500_000), idle: true};
        for (const {device, mapping} of mappings) yield* device.unmap(mapping);
        return;
      }
      for (const {device, mapping} of mappings) yield* device.unmap(mapping);
      yield* letGo(stage, region, holds, dirty, disk);
    };
    // by the task, by a worker, or by another task that got the file
    if (w.random.chance(0.6)) yield* end();
    else w.spawn(w.task(w.random.chance(0.5) ? 'kworker/u4:1' : 'heir'), end(), w.between(1000, 200_000));
  }
}

/** The end of pins whose device is done, with the bugs of it. */
function* letGo(stage: Stage, region: Region, holds: readonly Hold[], dirty: boolean, disk: Disk): Deed {
  const {k} = stage;

  if (stage.errs('put-on-pin')) {
    for (const hold of holds) {
      k.truth.spoil(hold.folio);
      k.truth.wrong('put-on-pin', hold.first, true);
      k.truth.drop(hold);
      yield* k.put(hold.folio);
    }
    yield {sleep: 200_000};
    yield* region.munmap();
    return;
  }
  if (stage.errs('leak')) {
    yield {sleep: 200_000};
    yield* region.munmap();
    for (const hold of holds) {
      k.truth.spoil(hold.folio);
      k.truth.wrong('pin-leak', hold.first, true);
    }
    return;
  }
  if (dirty && region.kind === 'file' && stage.errs('late-dirty')) {
    // one that was truncated is nobody's to write
    for (const {folio} of holds) if (folio.kind === 'file') yield* disk.writeOut(folio);
    while (holds.some(({folio}) => folio.flags.has('writeback'))) yield {sleep: 50_000};
    yield* unpin(k, holds, false);
    for (const hold of holds) {
      // of a page that is dirty already nothing is lost; one that another pin keeps by now may have been without before that came
      const {flags, holds: others} = hold.folio;
      const isKept = [...others].some(({kind}) => kind === 'pin');
      if (hold.cleaned && !flags.has('dirty')) k.truth.wrong('dirty-after-unpin', hold.first, !isKept);
      yield* k.w.within('set_page_dirty_lock', k.markDirty(hold.folio));
    }
    return;
  }
  yield* unpin(k, holds, dirty);
  if (stage.errs('double-unpin')) {
    for (const hold of holds) {
      k.truth.spoil(hold.folio);
      k.truth.wrong('unpin-without-pin', hold.first, true);
    }
    yield* k.unpinPages(holds);
  }
}

/** io_uring: registered buffers, a huge page of which keeps one pin for all its pages; reads use them without pins of their own. */
export function* ring(stage: Stage, disk: Disk): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(50_000, 1_500_000), idle: true};
    const range = stage.range(64, ['anon']);
    if (range === undefined) return;
    const {region} = range;
    let {at, n} = range;
    const whole = region.order === k.pmdOrder && k.build.release !== '5.10' && w.random.chance(0.6);
    const huge = 2 ** k.pmdOrder;
    if (whole) [at, n] = [at - (at % huge), Math.min(huge, region.spots.length)];
    let holds = yield* region.gup('pin', at, n, {write: true, longterm: true});
    if (holds.length === 0) continue;
    const spots = spotsOf(holds);
    if (whole && holds[0]!.folio.order === k.pmdOrder) {
      const [first, ...rest] = holds as [Hold, ...Hold[]];
      first.pages = huge;
      yield* k.unpinPages(rest);
      holds = [first];
    }
    let flying = 0;
    let closed = false;
    const release = function* (): Deed {
      if (k.build.release === '6.18' || k.build.release === '6.12') yield* k.bioRelease(holds, false);
      else yield* k.unpinPages(holds);
    };
    for (let i = 1 + w.random.below(5); i > 0; i--) {
      const from = w.random.below(spots.length);
      const some = spots.slice(from, from + 1 + w.random.below(8));
      flying++;
      const done = new Completion();
      yield* disk.submit(w.random.chance(0.5) ? 'FROM_DEVICE' : 'TO_DEVICE', some, holds, function* () {
        flying--;
        w.complete(done);
        yield 300;
        if (!closed || flying > 0) return;
        closed = false; // of two that end at once just one is the last
        w.spawn(w.task('kworker/u8:5'), release());
      });
      if (w.random.chance(0.5)) yield done;
    }
    if (w.random.chance(0.3)) yield* region.munmap();
    const early = stage.errs('early-unpin');
    // unregistered while I/O is in flight: the last of it lets go (io_uring/rsrc.c)
    closed = flying > 0 && !early && stage.features.has('deferred');
    if (closed) continue;
    while (flying > 0 && !early) yield {sleep: 50_000};
    yield* release();
  }
}

/** A memfd's folios that a GPU or a virtual machine shares (udmabuf, iommufd): each is pinned once, and mapped whole or in part. */
export function* share(stage: Stage, device: Device): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(100_000, 1_500_000), idle: true};
    const range = stage.range(24, ['shmem']);
    if (range === undefined) return;
    const {region, at, n} = range;
    if (!(yield* region.lock())) continue;
    const spots = region.spots.slice(at, at + n);
    const folios = [...new Set(spots.map(({folio}) => folio))].filter(({free, kind}) => !free && kind === 'shmem');
    region.enter();
    region.unlock();
    const holds = yield* k.pinFolios(folios);
    region.leave();
    if (holds.length === 0) continue;
    const mine = spots.filter(({folio}) => folios.includes(folio));
    const mapping = yield* device.map('BIDIRECTIONAL', mine, holds);
    yield {sleep: w.between(100_000, 3_000_000), idle: true};
    if (w.random.chance(0.3)) yield* region.munmap();
    yield* device.unmap(mapping);
    yield* k.unpinFolios(holds);
  }
}

/** Who only looks: ptrace and /proc/PID/mem by get, process_vm_readv() by pin. */
export function* look(stage: Stage): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(50_000, 1_000_000), idle: true};
    const range = stage.range(3, ['anon', 'shmem', 'file']);
    if (range === undefined) return;
    const {region, at, n} = range;
    const pins = w.random.chance(0.5);
    const holds = yield* region.gup(pins ? 'pin' : 'get', at, n, {remote: true, write: false});
    yield w.between(1000, 30_000);
    if (pins && holds.length > 0) yield* k.unpinDirtyLock(holds, false);
    else if (holds.length > 0 && stage.errs('unpin-of-get')) {
      for (const hold of holds) {
        k.truth.spoil(hold.folio);
        k.truth.wrong('unpin-without-pin', hold.first, true);
      }
      yield* k.unpinPages(holds);
    } else for (const hold of holds) yield* k.putHolds(hold.folio, [hold]);
  }
}

/** MSG_ZEROCOPY and vmsplice: gets, mapped by the network card, put in its softirq; a pipe's put comes from another task. */
export function* send(stage: Stage, card: Device): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(50_000, 1_000_000), idle: true};
    const range = stage.range(4, ['anon', 'shmem', 'file']);
    if (range === undefined) return;
    const {region, at, n} = range;
    const holds = yield* region.gup('get', at, n, {write: false});
    if (holds.length === 0) continue;
    const piped = w.random.chance(0.3);
    // the socket takes references of its own, and the pipe drops its
    if (piped) for (const hold of holds) yield* k.get(hold.folio);
    const mapping = yield* card.map('TO_DEVICE', spotsOf(holds), piped ? [] : holds);
    if (piped) for (const hold of holds) yield* k.putHolds(hold.folio, [hold]);
    else if (stage.errs('early-put')) for (const hold of holds) yield* k.putHolds(hold.folio, [hold]);
    w.interrupt(
      w.random.below(w.cpus.length),
      w.between(20_000, 400_000),
      function* () {
        yield* card.unmap(mapping);
        for (const hold of holds) {
          if (piped) yield* k.put(hold.folio);
          else if (!hold.dropped) yield* k.putHolds(hold.folio, [hold]);
        }
      },
      's',
    );
  }
}

/**
 * Direct writes to a disk behind a network (nvme-tcp, iscsi, drbd): the submitter's own task may send the pages
 * (nvme_tcp_queue_request()), the packet has references of its own (skb_splice_from_iter()), and the answer may be here, and
 * the pins gone, before the card's driver has looked at what it sent.
 */
export function* writeRemotely(stage: Stage, card: Device): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(50_000, 800_000), idle: true};
    const range = stage.range(8);
    if (range === undefined) return;
    const {region, at, n} = range;
    const holds = yield* region.gup(k.old ? 'get' : 'pin', at, n, {write: false});
    if (holds.length === 0) continue;
    const sector = 4096 + 8 * w.random.below(100_000);
    const sent = {sector, bytes: holds.length * k.page};
    const send = function* (): Deed {
      const head = yield* k.alloc();
      for (const hold of holds) yield* k.get(hold.folio);
      const mappings = [yield* card.map('TO_DEVICE', [{folio: head, pfn: head.pfn}], [], {offset: 64, size: 138})];
      for (const spot of spotsOf(holds)) mappings.push(yield* card.map('TO_DEVICE', [spot], []));
      w.interrupt(
        w.random.below(w.cpus.length),
        w.between(5000, 400_000),
        function* () {
          for (const mapping of mappings) yield* card.unmap(mapping);
          for (const hold of holds) yield* k.put(hold.folio);
          yield* k.put(head);
        },
        's',
      );
    };
    yield* rq(k, 'issue', sent);
    if (w.random.chance(0.7)) yield* send();
    else {
      const done = new Completion();
      w.spawn(
        w.task('kworker/0:2H'),
        (function* () {
          yield* send();
          w.complete(done);
        })(),
      );
      yield done;
    }
    w.interrupt(
      w.random.below(w.cpus.length),
      w.between(40_000, 500_000),
      function* () {
        yield* rq(k, 'complete', sent);
        yield* k.bioRelease(holds, false);
      },
      's',
    );
  }
}

function* rq(k: Kernel, what: 'issue' | 'complete', {sector, bytes}: {sector: number; bytes: number}): Deed {
  const how = what === 'issue' ? `${bytes} () ` : '() ';
  const tail = what === 'issue' ? `[${k.w.current.comm}]` : '[0]';
  k.w.write(`block_rq_${what}`, `259,3 WS ${how}${sector} + ${bytes / 512} ${k.old ? '' : 'be,0,4 '}${tail}`);
  yield k.gap();
}

/** vmsplice(): gets that wait in a pipe until another task reads it, or the trace ends. */
export function* pipe(stage: Stage): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(100_000, 2_000_000), idle: true};
    const range = stage.range(4, ['anon', 'shmem', 'file']);
    if (range === undefined) return;
    const {region, at, n} = range;
    const holds = yield* region.gup('get', at, n, {write: false});
    if (w.random.chance(0.2)) continue;
    w.spawn(
      w.task('cat'),
      (function* () {
        for (const hold of holds) {
          yield* k.putHolds(hold.folio, [hold]);
          yield w.between(500, 30_000);
        }
      })(),
      w.between(20_000, 5_000_000),
    );
  }
}

/** sendfile(): pages of the page cache under the socket's own references, whatever else they are pinned for. */
export function* sendfile(stage: Stage, card: Device): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(100_000, 1_500_000), idle: true};
    const range = stage.range(2, ['file', 'shmem']);
    if (range === undefined) return;
    const {region, at} = range;
    if (!(yield* region.lock())) continue;
    const {folio, pfn} = region.spots[at]!;
    if (folio.free) {
      region.unlock();
      continue;
    }
    yield* k.ref('page_ref_mod_unless', folio, 1);
    region.unlock();
    const mapping = yield* card.map('TO_DEVICE', [{folio, pfn}], []);
    w.interrupt(
      w.random.below(w.cpus.length),
      w.between(20_000, 400_000),
      function* () {
        yield* card.unmap(mapping);
        yield* k.put(folio);
      },
      's',
    );
  }
}

/** Receive rings: pages that nobody pins, mapped once, synced, recycled; or mapped anew for each packet. */
export function* receive(stage: Stage, card: Device): Deed {
  const {k} = stage;
  const {w} = k;
  const pool: Mapping[] = [];
  while (!stage.over) {
    yield {sleep: w.between(50_000, 600_000), idle: true};
    if (pool.length < 4) {
      const folio = yield* k.alloc();
      pool.push(yield* card.map('FROM_DEVICE', [{folio, pfn: folio.pfn}], []));
    } else if (w.random.chance(0.7)) yield* card.sync(w.random.of(pool));
    else {
      const mapping = pool.shift()!;
      yield* card.unmap(mapping);
      for (const folio of mapping.folios) yield* k.put(folio);
    }
  }
  for (const mapping of pool) {
    yield* card.unmap(mapping);
    for (const folio of mapping.folios) yield* k.put(folio);
  }
}

/** A GPU that follows page tables (hmm_range_fault()): it maps pages under no reference, and unmaps before they go. */
export function* follow(stage: Stage, gpu: Device): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(100_000, 1_500_000), idle: true};
    const range = stage.range(3, ['anon']);
    if (range === undefined) return;
    const {region, at, n} = range;
    if (!(yield* region.lock())) continue;
    const spots = region.spots.slice(at, at + n).filter(({folio}) => !folio.free && folio.mapped > 0);
    region.enter();
    region.unlock();
    if (spots.length > 0) {
      const mapping = yield* gpu.map('BIDIRECTIONAL', spots, []);
      yield {sleep: w.between(20_000, 200_000), idle: true};
      yield* gpu.unmap(mapping);
    }
    region.leave();
  }
}

/** A virtual machine's memory: pinned page by page, mapped in the IOMMU only (VFIO), taken apart in other parts. */
export function* assign(stage: Stage, vfio: Device): Deed {
  const {k} = stage;
  const {w} = k;
  while (!stage.over) {
    yield {sleep: w.between(200_000, 2_000_000), idle: true};
    const range = stage.range(6);
    if (range === undefined) return;
    const {region, at, n} = range;
    const holds = yield* region.gup('pin', at, n, {write: true, longterm: true, remote: true});
    const mappings: Mapping[] = [];
    for (const spot of spotsOf(holds)) mappings.push(yield* vfio.map('BIDIRECTIONAL', [spot], holds));
    yield {sleep: w.between(100_000, 3_000_000), idle: true};
    for (const mapping of mappings) {
      yield* vfio.unmap(mapping);
      const mine = holds.filter(({first}) => mapping.pages.has(first));
      yield* k.unpinDirtyLock(mine, true);
    }
  }
}
