/** Block I/O: requests that are mapped, issued, sent again, split, and end in interrupts on any CPU (block/blk-mq.c, block/bio.c). */
import type {Device, Mapping} from './device.js';
import type {Kernel} from './kernel.js';
import type {Direction, Folio, Hold, Spot} from './truth.js';
import type {Deed} from './world.js';

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

  constructor(
    private readonly k: Kernel,
    readonly device: Device,
    private readonly latency_ns: number,
  ) {
    this.remote = k.w.random.chance(0.3);
    // who leaves mappings open maps first (nvme_prep_rq(), drivers/nvme/host/pci.c)
    this.issuesFirst = k.w.random.chance(0.3) && !device.style.keeps;
  }

  /** Sends pages in one request or several. `end` runs in the interrupt of the last. */
  *submit(dir: Direction, spots: readonly Spot[], holds: readonly Hold[], end: () => Deed): Deed {
    const {random} = this.k.w;
    const half = spots.length === 1 && random.chance(0.1);
    const parts: {spots: readonly Spot[]; part?: {offset: number; size: number}}[] = [];
    if (half) for (const offset of [0, 2048]) parts.push({spots, part: {offset, size: 2048}});
    else {
      const cut = spots.length > 1 && random.chance(0.3) ? 1 + random.below(spots.length - 1) : spots.length;
      parts.push({spots: spots.slice(0, cut)});
      if (cut < spots.length) parts.push({spots: spots.slice(cut)});
    }
    let left = parts.length;
    const done = function* (): Deed {
      if (--left === 0) yield* end();
    };
    for (const {spots: some, part} of parts) yield* this.request(dir, some, holds, part, done);
  }

  private *request(
    dir: Direction,
    spots: readonly Spot[],
    holds: readonly Hold[],
    part: {offset: number; size: number} | undefined,
    done: () => Deed,
  ): Deed {
    const {k, device} = this;
    const bytes = part?.size ?? spots.length * 4096;
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
