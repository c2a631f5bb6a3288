/**
 * Requests to block devices, joined to the mappings made for them: where a driver leaves mappings open, the completion of
 * the request is when the device is done (verdicts.md's second way for DMA to end).
 *
 *     dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=3471000 size=4096 ...      nvme_queue_rq() maps first,
 *     dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=3497000 size=4096 ...      in the same task,
 *     block_rq_issue: 259,0 WS 8192 () 288112 + 16 be,0,4 [wl]                     then blk_mq_start_request()
 *     block_rq_complete: 259,0 WS () 288112 + 16 be,0,4 [0]                        the same sectors: the device is done
 *
 * (drivers/nvme/host/pci.c: nvme_prep_rq() maps the data, then starts the request; block/blk-mq.c; unmaps, where there are
 * any, come before the completion's event.) A join is by the sum of sizes and the direction, and believed once a block device
 * and a DMA device have met so several times with hardly a miss. Drivers that map after the issue (virtio, SCSI) unmap always:
 * their requests are not needed and not joined. Where all requests are alike, theirs would fit too, each with the mappings of the
 * one before: so a join is believed only by requests whose mappings cannot be those of the one that their task issued before.
 */
import {DmaDir, type TraceEvent} from '../../events/event.js';
import type {DmaRequest, DmaWindow} from '../tables/dma.js';
import type {Deed} from '../tables/references.js';

/** Most mappings of one task that wait for the issue of their request. */
const WAITING_MAX = 512;
/** Most tasks whose mappings wait, and requests in flight. */
const TASKS_MAX = 1000;
const IN_FLIGHT_MAX = 100_000;
/** So many joins make one believed, if at most one of so many issues did not fit. */
const JOINS_FEW = 2;
const MISSES_SHARE = 8;
/** Most requests that are complete and wait for their join to be believed. */
const UNBELIEVED_MAX = 1000;
/** Most requests in flight that begin with one sector; of those before them a completion was not seen. */
const OF_A_SECTOR_MAX = 32;

/** A block device and the DMA device that serves it. */
interface Join {
  hits: number;
  misses: number;
  /** of the hits: mappings that are not those of the request that the task issued before */
  telling: number;
  /** of the hits: mappings that may be, and that request was over before the next was issued, or that fit it as a whole */
  late: number;
  /** complete, before the join was believed */
  complete: {request: DmaRequest; completion: Completion}[];
}

/** The event that completes a request, in which slot of CPU and context, and when the one before it came there. */
interface Completion {
  readonly deed: Deed;
  readonly slot: number;
  readonly since: number;
}

/** A request with data as it was issued, joined or not. */
interface Issue {
  readonly of: number;
  readonly bytes: number;
  readonly write: boolean;
  /** the device was done with a part of it at least: it was mapped before that */
  over: boolean;
}

/** Mappings of a task since it issued a request. */
interface Waiting {
  readonly windows: DmaWindow[];
  /** the request that was issued before, if it was not over when the first of them was made */
  readonly during: Issue | undefined;
}

export class Requests {
  private readonly waiting = new Map<number, Waiting>();
  /** by task: what it issued last */
  private readonly issued = new Map<number, Issue>();
  /** by device, then by sector: what is not complete */
  private readonly pending = new Map<number, Map<number, Issue>>();
  /** by device, then by sector: the newest, which names those before it (`older`): two tasks may read the same sectors at a time */
  private readonly inFlight = new Map<number, Map<number, DmaRequest>>();
  private count = 0;
  /** by block device: the DMA device that serves it, once that is believed */
  private readonly servedBy = new Map<number, number>();
  private readonly joins = new Map<string, Join>();
  /** by block device: requests with data */
  private readonly issues = new Map<number, number>();
  private readonly joinOf = new WeakMap<DmaRequest, Join>();
  /** by slot of CPU and context: when the last completion came there */
  private readonly lastCompletion: number[] = [];

  constructor(
    private readonly ends: {
      /** the device is done with a window; `since`: when the request before it ended in this slot */
      done(window: DmaWindow, deed: Deed, slot: number, since: number): void;
      /** its request was given back, and is issued again: other mappings stand for it from here on */
      madeAgain(window: DmaWindow): void;
    },
  ) {}

  /** A mapping was made, in the calls of `task` (slotOf). */
  mapped(task: number, window: DmaWindow): void {
    let waiting = this.waiting.get(task);
    if (waiting === undefined) {
      if (this.waiting.size >= TASKS_MAX) this.waiting.clear();
      const before = this.issued.get(task);
      this.waiting.set(task, (waiting = {windows: [], during: before?.over === false ? before : undefined}));
    }
    const {windows} = waiting;
    if (windows.length >= WAITING_MAX) windows.length = 0;
    windows.push(window);
  }

  /** block_rq_issue: the mappings made just before in this task are the request's, if their sizes add up to its bytes. */
  issue(ev: TraceEvent, task: number, deed: () => Deed): void {
    const bytes = ev.nr * SECTOR;
    // a passthrough command has no sectors to be known again by
    if (bytes > 0 && (this.issues.size < TASKS_MAX || this.issues.has(ev.devId)))
      this.issues.set(ev.devId, (this.issues.get(ev.devId) ?? 0) + 1);
    const waiting = this.waiting.get(task);
    this.waiting.delete(task);
    if (bytes === 0) return;
    const issue = {of: ev.devId, bytes, write: ev.write !== 0, over: false};
    if (waiting !== undefined) this.join(issue, ev.sector, waiting, deed);
    this.note(issue, ev.sector, task);
  }

  private note(issue: Issue, at: number, task: number): void {
    if (this.issued.size >= TASKS_MAX) this.issued.clear();
    this.issued.set(task, issue);
    let pending = this.pending.get(issue.of);
    if (pending === undefined) {
      if (this.pending.size >= TASKS_MAX) this.pending.clear();
      this.pending.set(issue.of, (pending = new Map<number, Issue>()));
    }
    if (pending.size >= IN_FLIGHT_MAX) pending.clear();
    pending.set(at, issue);
  }

  private join(issue: Issue, at: number, {windows, during}: Waiting, deed: () => Deed): void {
    const {of, bytes, write} = issue;
    const open = windows.filter((w) => w.endedBy === undefined);
    // A driver maps and starts the request in one go: the last mappings before it are its own, or none are.
    const device = open.at(-1)?.device;
    if (device === undefined) return;
    let first = open.length - 1;
    while (first > 0 && open[first - 1]!.device === device) first--;
    const join = this.joinFor(of, device);
    const made = madeFor(open.slice(first), bytes);
    if (made === undefined || made.some(({dir}) => dir === (write ? DmaDir.fromDevice : DmaDir.toDevice))) {
      join.misses++;
      return;
    }
    join.hits++;
    const fits = during !== undefined && during.of === of && during.write === write;
    const all = bytesOf(open.slice(first));
    if (!fits || (during.bytes !== bytes && during.bytes !== all)) join.telling++;
    else if (during.over || during.bytes !== bytes) join.late++;
    const request = requestOf(of, at, write, bytes, made, deed());
    for (const window of made) {
      if (window.request !== undefined) continue; // of a command, whose tag tells it from all others
      window.request = request;
      if (device < 0 && this.believed(of, join)) this.name(window, of, write);
    }
    if (device >= 0 && this.believed(of, join)) this.servedBy.set(of, device);
    this.joinOf.set(request, join);
    this.begin(of, at, request);
    if (this.believed(of, join)) this.tellComplete(join);
  }

  /** A pair that has met several times with hardly a miss, for most of what goes to that block device. */
  private believed(of: number, {hits, misses, telling, late}: Join): boolean {
    if (hits < JOINS_FEW || telling <= 2 * late) return false;
    return misses * MISSES_SHARE <= hits && hits * 2 >= (this.issues.get(of) ?? 0);
  }

  /** A mapping that only an iommu:map event tells of: its request says which way the data goes, and to which device. */
  private name(window: DmaWindow, of: number, write: boolean): void {
    window.dir = write ? DmaDir.toDevice : DmaDir.fromDevice;
    window.device = this.servedBy.get(of) ?? -1;
  }

  private joinFor(of: number, device: number): Join {
    const name = `${of}>${device}`;
    let join = this.joins.get(name);
    if (join === undefined) {
      if (this.joins.size >= TASKS_MAX) this.joins.clear();
      this.joins.set(name, (join = {hits: 0, misses: 0, telling: 0, late: 0, complete: []}));
    }
    return join;
  }

  private begin(of: number, at: number, request: DmaRequest): void {
    let requests = this.inFlight.get(of);
    if (requests === undefined) this.inFlight.set(of, (requests = new Map()));
    if (this.count >= IN_FLIGHT_MAX) {
      this.inFlight.clear();
      this.inFlight.set(of, (requests = new Map()));
      this.count = 0;
    }
    let before = requests.get(at);
    let n = 0;
    for (let one = before; one !== undefined; one = one.older) {
      if (++n === OF_A_SECTOR_MAX) this.gone(requests, at, one);
      else if (one.givenBack !== undefined && one.write === request.write) {
        this.gone(requests, at, one);
        const open = [...one.earlier, ...ownOf(one)].filter((window) => window.endedBy === undefined);
        request.earlier = [...request.earlier, ...open].slice(-WAITING_MAX);
        for (const window of open) this.ends.madeAgain(window);
      }
    }
    before = requests.get(at);
    request.older = before;
    requests.set(at, request);
    this.count++;
  }

  /** A request is in flight no longer. */
  private gone(requests: Map<number, DmaRequest>, at: number, request: DmaRequest): void {
    const newest = requests.get(at);
    if (newest === request) {
      if (request.older === undefined) requests.delete(at);
      else requests.set(at, request.older);
    } else {
      let one = newest;
      while (one !== undefined && one.older !== request) one = one.older;
      if (one === undefined) return;
      one.older = request.older;
    }
    this.count--;
  }

  /**
   * block_rq_requeue: the driver gave the request back, and it will be issued again, with mappings of its own. That is no
   * completion: until then the device had it, from then on nobody knows, and all is over when what is issued again is. Of
   * several alike it may be any.
   * (block/blk-mq.c: blk_mq_requeue_request(); a driver does so when it is busy, or after an error: nvme_retry_req().)
   */
  giveBack(ev: TraceEvent, deed: () => Deed): void {
    for (const request of alike(this.inFlight.get(ev.devId)?.get(ev.sector), ev)) {
      if (request.givenBack !== undefined || !this.believed(request.of, this.joinOf.get(request)!)) continue;
      request.givenBack = deed();
      for (const window of ownOf(request)) if (window.endedBy === undefined) window.earliestEnd ??= request.givenBack;
    }
  }

  /**
   * block_rq_complete of sectors from `ev.sector` on: the device no longer has them. A request that is complete in part goes
   * on behind the part. (block/blk-mq.c: blk_update_request(); block_rq_error comes beside it, and tells nothing more.)
   */
  complete(ev: TraceEvent, slot: number, deed: () => Deed): void {
    const since = this.since(slot, ev.t);
    const pending = this.pending.get(ev.devId);
    const issue = pending?.get(ev.sector);
    if (issue !== undefined) {
      issue.over = true;
      pending!.delete(ev.sector);
    }
    const requests = this.inFlight.get(ev.devId);
    const newest = requests?.get(ev.sector);
    if (requests === undefined || newest === undefined) return;
    // one that was given back and not issued again has no mappings that this could end
    let may = inFlight(newest, ev);
    // unmaps come before the completion, on its CPU
    const unmapped = may.filter(unmappedOn(ev.cpu));
    if (unmapped.length === 1) may = unmapped;
    const [request] = may;
    if (request === undefined) return;
    if (may.length > 1) {
      this.oneOf(requests, may, deed());
      return;
    }
    this.gone(requests, ev.sector, request);
    const left = request.left - ev.nr * SECTOR;
    if (ev.nr > 0 && left > 0) {
      request.left = left;
      request.older = requests.get(ev.sector + ev.nr);
      requests.set(ev.sector + ev.nr, request);
      this.count++;
      return;
    }
    this.over(request, {deed: deed(), slot, since});
    const rest = inFlight(requests.get(ev.sector), ev);
    if (rest.some(({completions}) => completions >= rest.length)) this.allOver(requests, rest);
  }

  /**
   * One of several requests of the same sectors is complete: which one is known only when all are, by as many completions as
   * there are requests since the first of them was issued.
   */
  private oneOf(requests: Map<number, DmaRequest>, may: readonly DmaRequest[], completion: Deed): void {
    let most = 0;
    for (const request of may) {
      request.rivals = Math.max(request.rivals, may.length);
      request.maybeOver ??= completion;
      request.lastMaybe = completion;
      most = Math.max(most, ++request.completions);
      if (!this.believed(request.of, this.joinOf.get(request)!)) continue;
      for (const window of ownOf(request)) if (window.endedBy === undefined) window.earliestEnd ??= request.maybeOver;
    }
    if (most >= may.length) this.allOver(requests, may);
  }

  /** As many completions came as there are requests. */
  private allOver(requests: Map<number, DmaRequest>, all: readonly DmaRequest[]): void {
    const deed = all.reduce<Deed | undefined>(
      (last, {lastMaybe: one}) => (one && !(last && last.t > one.t) ? one : last),
      undefined,
    );
    for (const request of all) {
      this.gone(requests, request.at, request);
      if (deed) this.over(request, {deed, slot: -1, since: -Infinity});
    }
  }

  /** When the last completion came in this slot; this one is the last from here on. */
  private since(slot: number, t: number): number {
    const since = this.lastCompletion[slot] ?? -Infinity;
    this.lastCompletion[slot] = t;
    return since;
  }

  private over(request: DmaRequest, completion: Completion): void {
    request.completed = completion.deed;
    const join = this.joinOf.get(request)!;
    if (this.believed(request.of, join)) this.tell(request, completion);
    else if (join.complete.length < UNBELIEVED_MAX) join.complete.push({request, completion});
  }

  /** A join is believed: the requests that were complete before are so now. */
  private tellComplete(join: Join): void {
    for (const {request, completion} of join.complete) this.tell(request, completion);
    join.complete.length = 0;
  }

  private tell(request: DmaRequest, {deed, slot, since}: Completion): void {
    for (const windows of [request.earlier, ownOf(request)])
      for (const window of windows) if (window.endedBy === undefined) this.ends.done(window, deed, slot, since);
  }
}

/** A request as it is issued. */
export function requestOf(
  of: number,
  at: number,
  write: boolean,
  bytes: number,
  windows: DmaWindow[],
  issued: Deed,
): DmaRequest {
  return {
    of,
    at,
    write,
    issued,
    completed: undefined,
    windows,
    left: bytes,
    givenBack: undefined,
    earlier: [],
    older: undefined,
    completions: 0,
    maybeOver: undefined,
    lastMaybe: undefined,
    rivals: 0,
  };
}

/** The mappings that no command tells the end of. */
function ownOf(request: DmaRequest): DmaWindow[] {
  return request.windows.filter((window) => window.request === request);
}

/** Of those an event may be of, the ones that the device still has; one that was given back has no mappings that could end. */
function inFlight(newest: DmaRequest | undefined, ev: TraceEvent): DmaRequest[] {
  return alike(newest, ev).filter(({givenBack}) => givenBack === undefined);
}

/** Whether a CPU unmapped all that a request had: then it is complete there next. */
function unmappedOn(cpu: number): (request: DmaRequest) => boolean {
  return ({windows}) => windows.every(({endedBy, close}) => endedBy === 'unmap' && close!.cpu === cpu);
}

/** Of the requests in flight that begin with a sector those that an event may be of: by direction and sectors; parts of any where none is of as many. */
function alike(newest: DmaRequest | undefined, ev: TraceEvent): DmaRequest[] {
  const bytes = ev.nr * SECTOR;
  const same: DmaRequest[] = [];
  const whole: DmaRequest[] = [];
  for (let one = newest; one !== undefined; one = one.older) {
    if (one.write !== (ev.write !== 0)) continue;
    same.push(one);
    if (one.left === bytes) whole.push(one);
  }
  return whole.length > 0 ? whole : same;
}

function bytesOf(windows: readonly DmaWindow[]): number {
  return windows.reduce((sum, {size}) => sum + size, 0);
}

/** Of the mappings of one device before an issue, those whose sizes add up: all, the last ones, or all but the last (metadata). */
function madeFor(windows: readonly DmaWindow[], bytes: number): DmaWindow[] | undefined {
  let sum = 0;
  for (let i = windows.length - 1; i >= 0; i--) {
    if (windows[i]!.cut > 0) return undefined; // its bytes are not known
    sum += windows[i]!.size;
    if (sum === bytes) return windows.slice(i);
  }
  return windows.length > 1 && sum - windows[windows.length - 1]!.size === bytes ? [...windows] : undefined;
}

/** Sectors are of 512 bytes, whatever the device's own blocks are (include/linux/blk_types.h). */
const SECTOR = 512;
