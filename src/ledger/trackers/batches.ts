/**
 * folios_put_refs() calls (LRU drain, munmap, exit): the puts in them are not somebody's put_page().
 */
import {Context, EventKind as K, type TraceEvent} from '../../events/event.js';

export class Batches {
  /** by CPU: the call that runs there, and how many puts of it may follow */
  private readonly running: ({pid: number; left: number} | undefined)[] = [];

  /** A call begins. */
  begin(ev: TraceEvent): void {
    this.running[ev.cpu + 1] = {pid: ev.pid, left: ev.nr};
  }

  /** Whether a put by this event can be one of a batch. Each put uses up one. */
  has(ev: TraceEvent): boolean {
    const batch = this.running[ev.cpu + 1];
    if (batch === undefined || batch.pid !== ev.pid || ev.context > Context.task) return false;
    if (ev.kind === K.RefModAndTest && batch.left-- > 0) return true;
    this.running[ev.cpu + 1] = undefined;
    return false;
  }

  /** What a task does next, but for freeing the pages of its batch, ends the batch. */
  endedBy(ev: TraceEvent): void {
    if (ev.kind === K.PageFree || ev.kind === K.PageFreeBatched || ev.kind === K.FolioPutLast) return;
    if (ev.context <= Context.task && this.running[ev.cpu + 1]?.pid === ev.pid) this.running[ev.cpu + 1] = undefined;
  }
}
