/**
 * Finds where struct pages begin, and how large a page is, from events that tell one page twice: a probe with a pointer
 * and the page_ref or kmem event of the same deed with the PFN, a pinned page and the address that is mapped for it. It
 * looks only while something is not proven: mostly some lines.
 *
 *     try_grab_folio_fast: (...) page=0xffffea00000bec00 refs=1 flags=0x80001      __folio_put: (...) folio=0xfffffdffc0119700
 *     page_ref_mod_unless: pfn=0x2fb0 ... val=1 ret=1                              mm_page_free: [FAILED TO PARSE] pfn=0x4465c
 */
import {BIAS} from '../base/reference.js';
import {EventKind as K, PageFlag, PageName, type TraceEvent} from '../events/event.js';
import type {Identity} from './identity.js';
import {type PageSize, SHIFTS} from './page-size.js';

/** Lines that have to agree with the first that prints a pointer beside its PFN. */
const PRINTED = 3;
/** Pages that a task pinned last, as candidates for what it maps. */
const RECENT = 16;
/** Most tasks that are kept apart. */
const TASKS_MAX = 1024;

interface Probe {
  kind: number;
  pid: number;
  hi: number;
  lo: number;
  refs: number;
}

/** A pin of a page: its pointer as two halves, or -1 and a PFN. */
interface Pin {
  hi: number;
  lo: number;
  pfn: number;
  refs: number;
}

/** What a task pinned last, and whether it has mapped something since. */
interface Task {
  /** at most RECENT, used again; the first `pinned` of them hold, of more the last */
  readonly pins: Pin[];
  pinned: number;
  hasMapped: boolean;
  /** the page of a dma_map_page_attrs() whose return has not come */
  mapping: {hi: number; lo: number; offset: number} | undefined;
}

export class Scout {
  /** by CPU: the last probe that named a page by pointer */
  private readonly probes: (Probe | undefined)[] = [];
  private readonly tasks = new Map<number, Task>();

  constructor(
    private readonly identity: Identity,
    private readonly size: PageSize,
  ) {}

  /** Whether there is anything left to find. */
  get done(): boolean {
    const {identity} = this;
    // one line gives a base only if struct pages have the size that is taken for theirs: more lines have to agree
    const alone = identity.grade === 'printed' && identity.confirmed < PRINTED;
    return identity.proven && !alone && this.size.shown;
  }

  event(ev: TraceEvent): void {
    const {kind} = ev;
    if (!this.size.shown && this.identity.isX86) this.size.told(12, 'base');
    if (kind <= K.RefUnfreeze) this.pageRef(ev);
    else if (kind === K.Grab || kind === K.GupPut || kind === K.AddPin || kind === K.FolioPutLast) this.probe(ev);
    else if (kind === K.UnpinCall) this.unpinCall(ev);
    else if (kind >= K.PageAlloc && kind <= K.CacheDelete) this.memory(ev);
    else if (kind === K.DmaMap || kind === K.DmaMapSg) this.mapped(ev);
    else if (kind === K.DmaMapEntry) this.mapEntry(ev);
    else if (kind === K.DmaMapReturn) this.mapReturn(ev);
  }

  private probe(ev: TraceEvent): void {
    const {kind, pid, cpu, ptrHi: hi, ptrLo: lo, refs} = ev;
    const pointer = ev.pageName === PageName.pointer;
    if (pointer) {
      const probe = this.probes[cpu + 1];
      if (probe) {
        probe.kind = kind;
        probe.pid = pid;
        probe.hi = hi;
        probe.lo = lo;
        probe.refs = refs;
      } else this.probes[cpu + 1] = {kind, pid, hi, lo, refs};
    }
    if (kind !== K.Grab) return;
    if (pointer) this.pinned(pid, hi, lo, -1, refs);
    else if (ev.pageName === PageName.pfn) this.pinned(pid, -1, -1, ev.pfn, refs);
  }

  /** unpin_user_pages() of one page, whose list names it. */
  private unpinCall(ev: TraceEvent): void {
    const {kind, pid, cpu} = ev;
    if (ev.nr !== 1) return;
    if (ev.listLength === 1 && ev.listName === PageName.pointer)
      this.probes[cpu + 1] = {kind, pid, hi: ev.listPtrHi[0]!, lo: ev.listPtrLo[0]!, refs: 1};
    else if (ev.listLength === 0 && ev.pageName === PageName.pointer)
      this.probes[cpu + 1] = {kind, pid, hi: ev.ptrHi, lo: ev.ptrLo, refs: 1};
  }

  private pinned(pid: number, hi: number, lo: number, pfn: number, refs: number): void {
    if (pid <= 0) return;
    const task = this.task(pid);
    if (task.hasMapped) task.pinned = 0;
    task.hasMapped = false;
    const pin = (task.pins[task.pinned++ % RECENT] ??= {hi: -1, lo: -1, pfn: -1, refs: 0});
    pin.hi = hi;
    pin.lo = lo;
    pin.pfn = pfn;
    pin.refs = refs;
  }

  private task(pid: number): Task {
    let task = this.tasks.get(pid);
    if (!task) {
      if (this.tasks.size >= TASKS_MAX) this.tasks.clear();
      this.tasks.set(pid, (task = {pins: [], pinned: 0, hasMapped: false, mapping: undefined}));
    }
    return task;
  }

  private pageRef(ev: TraceEvent): void {
    const {val} = ev;
    if (val >= BIAS - 1 && !this.size.shown) this.pinned(ev.pid, -1, -1, ev.pfn, 1);
    const probe = this.probes[ev.cpu + 1];
    if (probe === undefined || probe.pid !== ev.pid) return;
    this.probes[ev.cpu + 1] = undefined;
    // a folio's event names its head, and the probe may name a tail
    if (probe.kind === K.FolioPutLast || (ev.pageFlags & PageFlag.head) !== 0) return;
    const n = probe.kind === K.GupPut || probe.kind === K.UnpinCall ? -probe.refs : probe.refs;
    if (val === n || val === n * BIAS || val === n * (BIAS - 1) || val === n * BIAS + 1)
      this.identity.pair(probe.hi, probe.lo, ev.pfn);
  }

  private memory(ev: TraceEvent): void {
    if (ev.kind === K.CacheAdd && ev.ofs > 0) this.size.fromOffset(ev.ofs);
    if (ev.ptrHi !== 0) this.identity.pair(ev.ptrHi, ev.ptrLo, ev.pfn, 'printed');
    if (ev.kind !== K.PageFree) return;
    const probe = this.probes[ev.cpu + 1];
    if (probe?.kind !== K.FolioPutLast || probe.pid !== ev.pid) return;
    this.probes[ev.cpu + 1] = undefined;
    this.identity.pair(probe.hi, probe.lo, ev.pfn);
  }

  /** dma:* with `phys_addr=`: of the pages that the task pinned last, for one size only. */
  private mapped(ev: TraceEvent): void {
    const task = this.tasks.get(ev.pid);
    if (!task || task.pinned === 0) return;
    const {identity} = this;
    const {pins, pinned, hasMapped} = task;
    const list = ev.kind === K.DmaMapSg ? Math.min(ev.listLength, RECENT) : 1;
    for (let i = 0; i < list; i++) {
      const phys = ev.kind === K.DmaMapSg ? ev.listPhys[i]! : ev.phys;
      if (phys < 0) continue;
      if (!identity.proven) {
        const pfn = Math.floor(phys / this.size.bytes);
        if (list === 1 && pinned === 1 && !hasMapped && pins[0]!.hi >= 0 && pins[0]!.refs === 1)
          identity.pair(pins[0]!.hi, pins[0]!.lo, pfn, 'mapped');
        for (const [n, {hi, lo}] of pins.entries()) if (n < pinned && hi >= 0) identity.suppose(hi, lo, pfn);
      }
      if (this.size.shown || hasMapped) continue;
      for (const shift of SHIFTS) {
        const frame = Math.floor(phys / 2 ** shift);
        if (pins.some((pin, i) => i < pinned && this.pfnOf(pin) === frame)) this.size.fits(shift, frame);
      }
    }
    if (list === 1) task.hasMapped = true;
  }

  private pfnOf({hi, lo, pfn}: Pin): number {
    if (pfn >= 0 || hi < 0) return pfn;
    // an assumed base may fit by chance what it should be proven by
    return this.identity.proven ? this.identity.pfn(hi, lo) : -1;
  }

  private mapEntry(ev: TraceEvent): void {
    if (ev.pageName !== PageName.pointer || ev.pid <= 0) return;
    this.task(ev.pid).mapping = {hi: ev.ptrHi, lo: ev.ptrLo, offset: ev.pageOffset};
  }

  /** Before 6.12, without an IOMMU: the address that dma_map_page_attrs() answers is the page's own. */
  private mapReturn(ev: TraceEvent): void {
    const task = this.tasks.get(ev.pid);
    const mapping = task?.mapping;
    if (!mapping) return;
    task!.mapping = undefined;
    if (ev.failed !== 0 || ev.dmaAddr < mapping.offset) return;
    const phys = ev.dmaAddr - mapping.offset;
    if (phys % this.size.bytes === 0) this.identity.pair(mapping.hi, mapping.lo, phys / this.size.bytes, 'mapped');
    if (this.size.shown || !this.identity.proven) return;
    const pfn = this.identity.pfn(mapping.hi, mapping.lo);
    for (const shift of SHIFTS) if (phys === pfn * 2 ** shift) this.size.fits(shift, pfn);
  }
}
