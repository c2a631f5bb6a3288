/**
 * folios_put_refs() calls (LRU drain, munmap, exit): the puts in them are not somebody's put_page().
 */
import {Context, EventKind as K, type TraceEvent} from '../../events/event.js';

export class Batches {
  /** by CPU: the call that runs there, its line, and how many puts of it may follow */
  private readonly running: ({pid: number; line: number; left: number} | undefined)[] = [];

  /** A call begins. */
  begin(ev: TraceEvent): void {
    this.running[ev.cpu + 1] = {pid: ev.pid, line: ev.line, left: ev.nr};
  }

  /** The line of the call that a put by this event can be one of; 0 none. Each put uses up one. */
  of(ev: TraceEvent): number {
    const batch = this.running[ev.cpu + 1];
    if (batch === undefined || batch.pid !== ev.pid || ev.context > Context.task) return 0;
    if (ev.kind === K.RefModAndTest && batch.left-- > 0) return batch.line;
    this.running[ev.cpu + 1] = undefined;
    return 0;
  }

  /** What a task does next, but for freeing the pages of its batch, ends the batch. */
  endedBy(ev: TraceEvent): void {
    if (ev.kind === K.PageFree || ev.kind === K.PageFreeBatched || ev.kind === K.FolioPutLast) return;
    if (ev.context <= Context.task && this.running[ev.cpu + 1]?.pid === ev.pid) this.running[ev.cpu + 1] = undefined;
  }
}
