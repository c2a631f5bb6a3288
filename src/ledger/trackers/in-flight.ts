/**
 * The requests that a block device has, by their first sector, and which of them a completion is of. Two tasks may read the same
 * sectors at a time: a completion names sectors and a direction, not a request.
 */
import type {TraceEvent} from '../../events/event.js';
import type {DmaRequest, DmaWindow} from '../tables/dma.js';
import type {Deed} from '../tables/references.js';

const IN_FLIGHT_MAX = 100_000;
/** Most requests in flight that begin with one sector; of those before them a completion was not seen. */
const OF_A_SECTOR_MAX = 32;
/** Most mappings of requests that are issued again. */
const EARLIER_MAX = 512;
/** Sectors are of 512 bytes, whatever the device's own blocks are (include/linux/blk_types.h). */
export const SECTOR = 512;

/** The event that completes a request, in which slot of CPU and context, and when the one before it came there. */
export interface Completion {
  readonly deed: Deed;
  readonly slot: number;
  readonly since: number;
}

export class InFlight {
  /** by device, then by sector: the newest, which names those before it (`older`) */
  private readonly byDevice = new Map<number, Map<number, DmaRequest>>();
  private count = 0;

  constructor(
    private readonly to: {
      /** whether its mappings are taken for its own */
      believed(request: DmaRequest): boolean;
      over(request: DmaRequest, completion: Completion): void;
      /** its request was given back, and is issued again: other mappings stand for it from here on */
      madeAgain(window: DmaWindow): void;
    },
  ) {}

  /** A request is issued; `at`: its first sector. */
  begin(request: DmaRequest, at: number): void {
    const {of} = request;
    let requests = this.byDevice.get(of);
    if (requests === undefined) this.byDevice.set(of, (requests = new Map()));
    if (this.count >= IN_FLIGHT_MAX) {
      this.byDevice.clear();
      this.byDevice.set(of, (requests = new Map()));
      this.count = 0;
    }
    let n = 0;
    for (let one = requests.get(at); one !== undefined; one = one.older) {
      if (++n === OF_A_SECTOR_MAX) this.gone(requests, at, one);
      else if (one.givenBack !== undefined && one.write === request.write) {
        this.gone(requests, at, one);
        const open = [...one.earlier, ...ownOf(one)].filter((window) => window.endedBy === undefined);
        request.earlier = [...request.earlier, ...open].slice(-EARLIER_MAX);
        for (const window of open) this.to.madeAgain(window);
      }
    }
    request.older = requests.get(at);
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
    for (const request of alike(this.byDevice.get(ev.devId)?.get(ev.sector), ev)) {
      if (request.givenBack !== undefined || !this.to.believed(request)) continue;
      request.givenBack = deed();
      for (const window of ownOf(request)) if (window.endedBy === undefined) window.earliestEnd ??= request.givenBack;
    }
  }

  /**
   * block_rq_complete of sectors from `ev.sector` on: the device no longer has them. A request that is complete in part goes
   * on behind the part. `since`: when the completion before it came in this slot. (block/blk-mq.c: blk_update_request(); block_rq_error comes beside it, and tells nothing more.)
   */
  complete(ev: TraceEvent, slot: number, since: number, deed: () => Deed): void {
    const requests = this.byDevice.get(ev.devId);
    const newest = requests?.get(ev.sector);
    if (requests === undefined || newest === undefined) return;
    // one that was given back and not issued again has no mappings that this could end
    let may = inFlight(newest, ev);
    // unmaps come just before the completion, on its CPU
    const unmapped = may.filter(unmappedIn(ev.cpu, since));
    if (unmapped.length === 1) may = unmapped;
    const [request] = may;
    if (request === undefined) return;
    if (may.length > 1) {
      this.oneOf(requests, ev.sector, may, deed());
      return;
    }
    this.gone(requests, ev.sector, request);
    const left = request.left - ev.nr * SECTOR;
    if (ev.nr > 0 && left > 0) {
      request.left = left;
      request.maybeOver ??= deed();
      if (this.to.believed(request))
        for (const window of ownOf(request)) if (window.endedBy === undefined) window.earliestEnd ??= request.maybeOver;
      request.older = requests.get(ev.sector + ev.nr);
      requests.set(ev.sector + ev.nr, request);
      this.count++;
      return;
    }
    this.to.over(request, {deed: deed(), slot, since});
    const rest = inFlight(requests.get(ev.sector), ev);
    if (rest.some(({completions}) => completions >= rest.length)) this.allOver(requests, ev.sector, rest);
  }

  /**
   * One of several requests of the same sectors is complete: which one is known only when all are, by as many completions as
   * there are requests since the first of them was issued.
   */
  private oneOf(requests: Map<number, DmaRequest>, at: number, may: readonly DmaRequest[], completion: Deed): void {
    let most = 0;
    for (const request of may) {
      request.rivals = Math.max(request.rivals, may.length);
      request.maybeOver ??= completion;
      request.lastMaybe = completion;
      most = Math.max(most, ++request.completions);
      if (!this.to.believed(request)) continue;
      for (const window of ownOf(request)) if (window.endedBy === undefined) window.earliestEnd ??= request.maybeOver;
    }
    if (most >= may.length) this.allOver(requests, at, may);
  }

  /** As many completions came as there are requests that begin at a sector: the last of them ends all. */
  private allOver(requests: Map<number, DmaRequest>, at: number, all: readonly DmaRequest[]): void {
    let last = all[0]?.lastMaybe;
    for (const {lastMaybe} of all) if (last === undefined || (lastMaybe && lastMaybe.t > last.t)) last = lastMaybe;
    if (last === undefined) return;
    for (const request of all) {
      this.gone(requests, at, request);
      this.to.over(request, {deed: last, slot: -1, since: -Infinity});
    }
  }
}

/** A request as it is issued. */
export function requestOf(of: number, write: boolean, bytes: number, windows: DmaWindow[], issued: Deed): DmaRequest {
  return {
    of,
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
export function ownOf(request: DmaRequest): DmaWindow[] {
  return request.windows.filter((window) => window.request === request);
}

/** Of those an event may be of, the ones that the device still has; one that was given back has no mappings that could end. */
function inFlight(newest: DmaRequest | undefined, ev: TraceEvent): DmaRequest[] {
  return alike(newest, ev).filter(({givenBack}) => givenBack === undefined);
}

/** Whether a CPU unmapped all that a request had, after the completion before: then it is complete there next. */
function unmappedIn(cpu: number, since: number): (request: DmaRequest) => boolean {
  return ({windows}) =>
    windows.every(({endedBy, close}) => endedBy === 'unmap' && close!.cpu === cpu && close!.t >= since);
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
