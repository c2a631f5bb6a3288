/**
 * What the recording would have shown: a certificate for each function or event by which something happens to a page, on
 * each CPU, from when to when. It is known by an announcement (the recorder's header, the formats of a trace.dat, the attrs
 * of perf) or by sight, from the first event of it to the last. What is not certified may have happened unseen there.
 */
import type {Unseen} from '../capture/audit.js';
import {nameOf} from '../capture/coverage.js';
import {EventKind as K, type TraceEvent} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Certificate} from '../results/info.js';
import {timesOf} from '../words/times.js';

/** What an event shows, its name where the form keeps none, and of what its absence is an argument. */
const SHOWS: Partial<Record<number, readonly [shows: string, name: string, what?: Unseen]>> = {
  [K.Grab]: ['pins and gets taken', 'try_grab_folio', 'taken'],
  [K.AddPin]: ['pins taken', 'folio_add_pin', 'taken'],
  [K.GupPut]: ['pins and gets dropped', 'gup_put_folio', 'dropped'],
  [K.UnpinCall]: ['pins dropped', 'unpin_user_pages', 'dropped'],
  [K.RefMod]: ['counts', 'page_ref_mod'],
  [K.RefModUnless]: ['counts', 'page_ref_mod_unless'],
  [K.RefModAndTest]: ['counts', 'page_ref_mod_and_test', 'put'],
  [K.DmaMap]: ['mapped', 'dma_map_page', 'mapped'],
  [K.DmaMapSg]: ['mapped', 'dma_map_sg', 'mapped'],
  [K.DmaMapEntry]: ['mapped', 'dma_map_page_attrs', 'mapped'],
  [K.DmaMapSgEntry]: ['mapped', 'dma_map_sg_attrs', 'mapped'],
  [K.DmaMapSgItem]: ['mapped', 'dma_map_sg_ent', 'mapped'],
  [K.IommuMap]: ['mapped', 'map', 'mapped'],
  [K.DmaUnmap]: ['unmapped', 'dma_unmap_page', 'unmapped'],
  [K.DmaUnmapSg]: ['unmapped', 'dma_unmap_sg', 'unmapped'],
  [K.DmaUnmapSgEntry]: ['unmapped', 'dma_unmap_sg_attrs', 'unmapped'],
  [K.DmaUnmapSgItem]: ['unmapped', 'dma_unmap_sg_ent', 'unmapped'],
  [K.IommuUnmap]: ['unmapped', 'unmap', 'unmapped'],
  [K.BlockComplete]: ['requests complete', 'block_rq_complete'],
  [K.PageAlloc]: ['handed out', 'mm_page_alloc'],
  [K.PageFree]: ['freed', 'mm_page_free', 'freed'],
  [K.PageFreeBatched]: ['freed', 'mm_page_free_batched', 'freed'],
  [K.WritebackStart]: ['written back', '__folio_start_writeback', 'written back'],
  [K.WritebackEnd]: ['writeback ended', 'folio_end_writeback', 'writeback ended'],
  [K.MarkDirty]: ['marked dirty', 'folio_mark_dirty'],
  [K.ClearDirtyForIo]: ['cleaned', 'folio_clear_dirty_for_io'],
  [K.CacheAdd]: ['entered a file', 'mm_filemap_add_to_page_cache'],
};

interface Sight {
  name: string;
  kind: number;
  fn: number;
  count: number;
  /** by CPU + 1 */
  readonly first: number[];
  readonly last: number[];
}

/** Most functions that are told apart. */
const SIGHTS_MAX = 1000;

/** Takes note of where each function or event was seen, while a trace is read. */
export class Sights {
  private readonly sights = new Map<number, Sight>();
  /** of any event, by CPU + 1 */
  private readonly cpus: boolean[] = [];

  /** Reading begins, or begins anew. */
  begin(): void {
    this.sights.clear();
    this.cpus.length = 0;
  }

  event(ev: TraceEvent): void {
    const {kind, cpu, t} = ev;
    const at = cpu + 1;
    this.cpus[at] = true;
    if (SHOWS[kind] === undefined) return;
    const fn = kind === K.Grab || kind === K.GupPut || kind === K.UnpinCall ? ev.fn : 0;
    const key = kind * 256 + fn;
    let sight = this.sights.get(key);
    if (sight === undefined) {
      if (this.sights.size >= SIGHTS_MAX) return;
      this.sights.set(key, (sight = {name: nameFor(ev, fn), kind, fn, count: 0, first: [], last: []}));
    }
    sight.count++;
    if (!(sight.first[at]! <= t)) sight.first[at] = t;
    if (!(sight.last[at]! >= t)) sight.last[at] = t;
  }

  /** A row for each function, in the order of what they show. */
  certificates(m: Ledger): Certificate[] {
    const kinds = Object.keys(SHOWS).map(Number);
    const rows = [...this.sights.values()].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
    return rows.map((sight) => this.certificate(m, sight));
  }

  private certificate(m: Ledger, {name, kind, count, first, last}: Sight): Certificate {
    const {capture} = m;
    const [shows, , what] = SHOWS[kind]!;
    const announced = capture.coverage.announced.has(name);
    const seen = [...first.keys()].filter((at) => first[at] !== undefined);
    const never = [...this.cpus.keys()].filter((at) => this.cpus[at] === true && first[at] === undefined);
    const doubts: string[] = [];
    if (capture.facts.has('pid_filter')) doubts.push('of some tasks only');
    if (capture.leftOut !== undefined) doubts.push(`not all of it: ${capture.leftOut}`);
    if (what !== undefined) {
      const often = capture.audit.incomplete(what);
      if (often > 0) doubts.push(`missing ${often === 1 ? 'once' : `${often} times`}, as broken laws say`);
      const uncovered = kind === K.Grab ? capture.coverage.takingUncovered() : null;
      if (uncovered !== null) doubts.push(uncovered);
    }
    return {
      event: name,
      shows,
      known_by: announced ? 'announced' : 'sight',
      count,
      cpus: seen.map((at) => ({cpu: at - 1, ...timesOf(m, first[at]!, last[at]!)})),
      never_on: announced ? [] : never.map((at) => at - 1),
      doubts,
    };
  }
}

/** As the trace prints it; of records, which have no text, by what the form knows. */
function nameFor({buf, nameStart, nameEnd, kind}: TraceEvent, fn: number): string {
  if (nameEnd > nameStart)
    return Buffer.from(buf.buffer, buf.byteOffset + nameStart, nameEnd - nameStart).toString('latin1');
  return fn > 0 ? nameOf(fn) : SHOWS[kind]![1];
}
