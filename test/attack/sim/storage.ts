/** Block I/O: requests that are mapped, issued, sent again, split, and end in interrupts on any CPU (block/blk-mq.c, block/bio.c). */
import type {Feature} from './actors.js';
import type {Device, Mapping} from './device.js';
import type {Kernel} from './kernel.js';
import type {Direction, Folio, Hold, Spot} from './truth.js';
import {Completion, type Deed, type Task} from './world.js';

/** Takes pages and reads or writes them. */
export interface Storage {
  submit: (dir: Direction, spots: readonly Spot[], holds: readonly Hold[], end: () => Deed) => Deed;
}

/** What was submitted and waits for more of its neighbourhood, to go as one request. */
interface Waiting {
  dir: Direction;
  spots: Spot[];
  holds: Hold[];
  done: (() => Deed)[];
}

interface Request {
  mapping: Mapping;
  bytes: number;
  /** first sector */
  at: number;
  spots: readonly Spot[];
  part: {offset: number; size: number} | undefined;
  done: () => Deed;
}

export class Disk {
  private sector = 2048;
  /** queued to another CPU after the interrupt */
  private readonly remote: boolean;
  private readonly issuesFirst: boolean;
  /** a thread's: of its interrupt, or that polls */
  private readonly thread: Task | undefined;
  private readonly worker: Task | undefined;
  private readonly busy = new Set<Task>();
  private readonly merges: boolean;
  private waiting: Waiting | undefined;

  constructor(
    private readonly k: Kernel,
    readonly device: Device,
    private readonly latency_ns: number,
    features: ReadonlySet<Feature> = new Set(),
  ) {
    const {w} = k;
    if (features.has('polled') && w.random.chance(0.7)) this.thread = w.task('irq/33-nvme0q1');
    if (features.has('handed') && w.random.chance(0.7)) this.worker = w.task('kworker/2:1H');
    this.merges = features.has('merged') && w.random.chance(0.7);
    this.remote = k.w.random.chance(0.3);
    // who leaves mappings open maps first (nvme_prep_rq(), drivers/nvme/host/pci.c)
    this.issuesFirst = k.w.random.chance(0.3) && !device.style.keeps;
  }

  /** Sends pages in one request or several. `end` runs in the interrupt of the last. */
  *submit(dir: Direction, spots: readonly Spot[], holds: readonly Hold[], end: () => Deed): Deed {
    const {random} = this.k.w;
    const half = spots.length === 1 && random.chance(0.1);
    const size = this.k.page / 2;
    const parts: {spots: readonly Spot[]; part?: {offset: number; size: number}}[] = [];
    if (half) for (const offset of [0, size]) parts.push({spots, part: {offset, size}});
    else {
      const cut = spots.length > 1 && random.chance(0.3) ? 1 + random.below(spots.length - 1) : spots.length;
      parts.push({spots: spots.slice(0, cut)});
      if (cut < spots.length) parts.push({spots: spots.slice(cut)});
    }
    let left = parts.length;
    const done = function* (): Deed {
      if (--left === 0) yield* end();
    };
    for (const {spots: some, part} of parts) {
      if (this.merges && part === undefined) yield* this.gather(dir, some, holds, done);
      else yield* this.handOn(() => this.request(dir, some, holds, part, done));
    }
  }

  /** Reads a page of a file in, under nobody's reference but the page cache's. */
  *readIn(folio: Folio): Deed {
    const done = new Completion();
    yield* this.k.lock(folio);
    folio.flags.delete('uptodate');
    const {k} = this;
    yield* this.submit('FROM_DEVICE', [{folio, pfn: folio.pfn}], [], function* () {
      folio.flags.add('uptodate');
      k.unlock(folio);
      k.w.complete(done);
      yield 200;
    });
    yield done;
  }

  /** The submitter sends a request, or the block layer's worker does (blk_mq_run_work_fn()): then he need not wait for it. */
  private *handOn(request: () => Deed): Deed {
    const {k, worker} = this;
    const {w, truth} = k;
    if (worker === undefined || w.random.chance(0.5)) return yield* request();
    const sent = new Completion();
    const alone = this.alone.bind(this);
    w.spawn(
      worker,
      alone(worker, function* () {
        yield* request();
        w.complete(sent);
      }),
      w.between(1000, 20_000),
    );
    // a bug is to happen after the device has the pages
    if (!truth.strict) yield sent;
  }

  /** A thread does one thing after the other. */
  private *alone(task: Task, deed: () => Deed): Deed {
    while (this.busy.has(task)) yield {sleep: 3000};
    this.busy.add(task);
    yield* deed();
    this.busy.delete(task);
  }

  /** Bios of neighbouring sectors become one request, whoever submitted them (blk_mq_sched_bio_merge(), block/blk-merge.c). */
  private *gather(dir: Direction, spots: readonly Spot[], holds: readonly Hold[], end: () => Deed): Deed {
    const {k} = this;
    const {w} = k;
    const {waiting} = this;
    if (waiting !== undefined && waiting.dir === dir && waiting.spots.length + spots.length < 64) {
      waiting.spots.push(...spots);
      waiting.holds.push(...holds.filter((hold) => !waiting.holds.includes(hold)));
      waiting.done.push(end);
      return;
    }
    const mine: Waiting = {dir, spots: [...spots], holds: [...holds], done: [end]};
    if (waiting === undefined) this.waiting = mine;
    const send = function* (this: Disk): Deed {
      if (this.waiting === mine) this.waiting = undefined;
      yield* this.request(dir, mine.spots, mine.holds, undefined, function* () {
        for (const done of mine.done) yield* done();
      });
    }.bind(this);
    if (waiting !== undefined || !k.truth.strict) return yield* send();
    w.spawn(w.task('kworker/3:1H'), send(), w.between(5000, 80_000));
  }

  private *request(
    dir: Direction,
    spots: readonly Spot[],
    holds: readonly Hold[],
    part: {offset: number; size: number} | undefined,
    done: () => Deed,
  ): Deed {
    const {k, device} = this;
    const bytes = part?.size ?? spots.length * k.page;
    const at = (this.sector += 8 * (1 + k.w.random.below(64)));
    if (this.issuesFirst) yield* this.issue(dir, bytes, at);
    const mapping = yield* device.map(dir, spots, holds, part);
    if (!this.issuesFirst) yield* this.issue(dir, bytes, at);
    this.inFlight({mapping, bytes, at, spots, part, done});
  }

  /** The device has it: it ends in an interrupt, or gets no answer and is sent again. */
  private inFlight(request: Request): void {
    const {k, device} = this;
    const {w} = k;
    const after = w.between(this.latency_ns / 4, this.latency_ns * 2);
    const {thread} = this;
    if (thread !== undefined)
      return w.spawn(
        thread,
        this.alone(thread, () => this.ends(request)),
        after,
      );
    if (w.random.chance(0.03) && !device.style.keeps) w.spawn(w.task('kworker/0:1H'), this.again(request, after));
    else if (this.remote)
      w.interrupt(
        w.random.below(w.cpus.length),
        after,
        function* (this: Disk): Deed {
          w.interrupt(w.random.below(w.cpus.length), 3000, () => this.ends(request), 's');
          yield 500;
        }.bind(this),
      );
    else w.interrupt(w.random.below(w.cpus.length), after, () => this.ends(request));
  }

  private *ends({mapping, bytes, at, done}: Request): Deed {
    yield* this.device.unmap(mapping);
    yield* this.completed(mapping.dir, bytes, at);
    yield* done();
  }

  /** After a time-out the driver unmaps, and a worker sends it once more. */
  private *again(request: Request, after: number): Deed {
    const {mapping, bytes, at, spots, part} = request;
    yield {sleep: after};
    yield* this.device.unmap(mapping);
    yield {sleep: 20_000};
    const mapped = yield* this.device.map(mapping.dir, spots, mapping.holds, part);
    yield* this.issue(mapping.dir, bytes, at);
    this.inFlight({...request, mapping: mapped});
  }

  private *issue(dir: Direction, bytes: number, at: number): Deed {
    const tail = this.k.old ? `[${this.k.w.current.comm}]` : `be,0,4 [${this.k.w.current.comm}]`;
    const what = dir === 'TO_DEVICE' ? 'WS' : 'RS';
    this.k.w.write('block_rq_issue', `${this.device.block} ${what} ${bytes} () ${at} + ${bytes / 512} ${tail}`);
    yield this.k.gap();
  }

  private *completed(dir: Direction, bytes: number, at: number): Deed {
    const tail = this.k.old ? '[0]' : 'be,0,4 [0]';
    const what = dir === 'TO_DEVICE' ? 'WS' : 'RS';
    this.k.w.write('block_rq_complete', `${this.device.block} ${what} () ${at} + ${bytes / 512} ${tail}`);
    yield this.k.gap();
  }

  /** The same by fsync(): the page is looked up first. */
  *sync(folio: Folio): Deed {
    const {k} = this;
    yield* k.ref('page_ref_mod_unless', folio, 1);
    yield* this.writeOut(folio);
    yield* k.put(folio);
  }

  /** Writes a folio out as writeback does. */
  *writeOut(folio: Folio): Deed {
    const {k} = this;
    yield* k.lock(folio);
    if (folio.free || folio.flags.has('writeback') || !folio.flags.has('dirty')) return k.unlock(folio);
    yield* k.startWriteback(folio);
    k.unlock(folio);
    const spots = Array.from({length: folio.size}, (_, i) => ({folio, pfn: folio.pfn + i}));
    yield* this.submit('TO_DEVICE', spots, [], () => k.endWriteback(folio));
  }
}

/** RAID 1: what is written goes to each disk, under the same references, sent by the array's thread; a read goes to one (drivers/md/raid1.c). */
export class Mirror implements Storage {
  private readonly thread: Task;
  private busy = false;

  constructor(
    private readonly k: Kernel,
    private readonly disks: readonly Disk[],
  ) {
    this.thread = k.w.task('md0_raid1');
  }

  *submit(dir: Direction, spots: readonly Spot[], holds: readonly Hold[], end: () => Deed): Deed {
    const {disks} = this;
    const {w, truth} = this.k;
    const to = dir === 'TO_DEVICE' ? disks : [w.random.of(disks)];
    let left = to.length;
    const done = function* (): Deed {
      if (--left === 0) yield* end();
    };
    const send = function* (this: Mirror): Deed {
      while (this.busy) yield {sleep: 3000};
      this.busy = true;
      for (const disk of to) yield* disk.submit(dir, spots, holds, done);
      this.busy = false;
    }.bind(this);
    if (to.length === 1 || !truth.strict) for (const disk of to) yield* disk.submit(dir, spots, holds, done);
    else w.spawn(this.thread, send(), w.between(3000, 40_000));
  }
}
