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
import {type Completion, InFlight, ownOf, requestOf, SECTOR} from './in-flight.js';
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
  private readonly inFlight: InFlight;
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
  ) {
    this.inFlight = new InFlight({
      believed: (request) => this.believed(request.of, this.joinOf.get(request)!),
      over: (request, completion) => this.over(request, completion),
      madeAgain: (window) => ends.madeAgain(window),
    });
  }

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
    const request = requestOf(of, write, bytes, made, deed());
    for (const window of made) {
      if (window.request !== undefined) continue; // of a command, whose tag tells it from all others
      window.request = request;
      if (device < 0 && this.believed(of, join)) this.name(window, of, write);
    }
    if (device >= 0 && this.believed(of, join)) this.servedBy.set(of, device);
    this.joinOf.set(request, join);
    this.inFlight.begin(request, at);
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

  /** block_rq_requeue: see InFlight. */
  giveBack(ev: TraceEvent, deed: () => Deed): void {
    this.inFlight.giveBack(ev, deed);
  }

  /** block_rq_complete of sectors from `ev.sector` on: the device no longer has them. */
  complete(ev: TraceEvent, slot: number, deed: () => Deed): void {
    const since = this.since(slot, ev.t);
    const pending = this.pending.get(ev.devId);
    const issue = pending?.get(ev.sector);
    if (issue !== undefined) {
      issue.over = true;
      pending!.delete(ev.sector);
    }
    this.inFlight.complete(ev, slot, since, deed);
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
