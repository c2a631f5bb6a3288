/** Marks of the user (trace_marker, trace_printk, tracepoints that nobody decodes) that name pages which are followed. */
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import {textOf} from '../tables/tasks.js';
import type {Uses} from './around.js';
import {pagesNamed} from './mention.js';

/** Of the text of a mark. */
const MARK_BYTES = 600;

export class Marks {
  constructor(private readonly around: Uses<'capture' | 'book'>) {}

  /** It says nothing of references: it stands in the lives of the pages it names. */
  event(ev: TraceEvent): void {
    const {book, capture} = this.around;
    if (book.lives.follows === undefined) return;
    const text = textOf(ev.buf, ev.textStart, ev.textEnd, MARK_BYTES);
    const name = textOf(ev.buf, ev.nameStart, ev.nameEnd, MARK_BYTES);
    const said = name === '' || ev.kind === K.Marker ? text : `${name}: ${text}`;
    const seen = new Set<number>();
    for (const {pfns, pointer} of pagesNamed(text)) {
      const frames = pointer ? [capture.identity.pfn(...pointer)] : pfns;
      const either =
        frames.length > 1 ? `; its number may be decimal or hexadecimal: ${frames.map(hex).join(' or ')}` : '';
      for (const pfn of frames) {
        if (pfn < 0 || seen.has(pfn) || !book.lives.follows.touches(pfn, 1)) continue;
        seen.add(pfn);
        book.marked(pfn, ev, said + either);
      }
    }
  }
}

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}
