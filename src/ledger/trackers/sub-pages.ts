/**
 * Which sub-pages of a folio a drop is of: a probe or a count names the folio alone (mm/gup.c gup_put_folio() takes a folio and
 * a number), and what happened around the drop tells the rest, or not.
 */
import type {ReferenceKind} from '../../base/reference.js';
import {Context} from '../../events/event.js';
import {PageState} from '../tables/page-table.js';
import type {Deed, Reference} from '../tables/references.js';
import type {Uses} from './around.js';
import type {UnpinCall} from './calls.js';

/** A completion unpins this soon after it has unmapped. */
const UNMAPPED_NS = 1_000_000;
/** And nearly always this soon; later it may be the next interrupt, of a device that maps nothing. */
const AT_ONCE_NS = 100_000;

/** By kind of reference: the folio has some of which drops did not tell which they dropped. */
export const MIXED = {pin: PageState.pinsMixed, get: PageState.getsMixed} as const;

export class SubPages {
  /** whether what of() answered is told, and not the likeliest of several */
  told = false;

  constructor(private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'calls'>) {}

  /**
   * The first of the `n` sub-pages of a folio that are dropped: by the running call's list, by the grab that a call of the
   * pin_user_pages family lets go again, or by the mapping that ended just before in the same context, as a completion does
   * before it unpins; -1 when none tells.
   */
  of(row: number, kind: ReferenceKind, n: number, call: UnpinCall | undefined, deed: Deed): number {
    const {pages} = this.around;
    const head = pages.pfn[row]!;
    const size = 1 << pages.order[row]!;
    this.told = true;
    if (call && call.pages.length > 0) {
      const {pages: list, next} = call;
      // What the call does not drop any more is a drop of its own: of whatever the folio holds.
      if (next + n > call.nr) return -1;
      const at = list.findIndex((pfn, i) => i >= next && pfn >= head && pfn < head + size);
      if (at >= 0) {
        call.next = at + n;
        // neighbours in the list that are of one folio are dropped at once, in whatever order they stand there
        for (let i = 1; i < n && at + i < list.length; i++) if (list[at + i] !== list[at]! + i) return -1;
        if (call.list && at + n > list.length) this.told = false;
        return list[at]!;
      }
      // The list is longer than what is printed of it: where it runs on, so does the rest.
      const last = list[list.length - 1]!;
      const beyond = last + 1 + Math.max(0, next - list.length);
      const runs = last - list[0]! + 1 === list.length;
      if (list.length < call.nr && next >= list.length && runs && beyond >= head && beyond + n <= head + size) {
        call.next = next + n;
        const end = Math.min(head + size, last + 1 + call.nr - list.length);
        if (call.list) this.told = this.holdsJust(row, kind, beyond, end, deed);
        return beyond;
      }
      return -1;
    }
    // a drop inside an unpin call is that call's
    const undone = call === undefined ? this.undone(row, kind, n, deed) : undefined;
    return undone ?? this.unmappedJustBefore(row, kind, n, deed);
  }

  /** Whether the pins that a task has of a folio are one of each page in [first, end): then a list that is cut goes on with those. */
  private holdsJust(row: number, kind: ReferenceKind, first: number, end: number, {task}: Deed): boolean {
    const {pages} = this.around;
    if ((pages.state[row]! & (PageState.unlisted | MIXED[kind])) !== 0) return false;
    let n = 0;
    for (let r = pages.references[row]; r; r = r.next) {
      if (r.kind !== kind || r.task !== task) continue;
      if (r.sub < first || r.sub + r.span > end) return false;
      n += r.n;
    }
    return n === end - first;
  }

  /** gup_fast_pte_range() grabs, finds the entry changed, and lets go at once: of the page it grabbed last. */
  private undone(row: number, kind: ReferenceKind, n: number, {task, context}: Deed): number | undefined {
    const {calls, evidence, pages} = this.around;
    if (calls.pins.size === 0 || context > Context.task || task < 0) return undefined;
    const call = calls.pins.get(evidence.tasks.get(task).pid);
    if (call === undefined) return undefined;
    let r = pages.references[row];
    while (r !== undefined && (r.kind !== kind || r.call !== call.call)) r = r.next;
    if (r?.n !== n) return undefined;
    this.told = r.sub >= 0;
    return r.sub;
  }

  private unmappedJustBefore(row: number, kind: ReferenceKind, n: number, deed: Deed): number {
    const {calls, evidence, pages: table} = this.around;
    const head = table.pfn[row]!;
    const size = 1 << table.order[row]!;
    const run = calls.unmapped[calls.slot(deed.cpu, deed.context)];
    if (run === undefined || deed.t - run.t > UNMAPPED_NS || evidence.tasks.get(deed.task).pid !== run.pid) return -1;
    let found = -1;
    let at = -1;
    // Parts of a request that has not ended whole, and I/O under pins that stay, are followed by no unpin: they may be in the run.
    let told = true;
    for (let i = run.windows.length - 1; i >= 0; i--) {
      const {runs, close} = run.windows[i]!;
      const atOnce = close !== undefined && deed.t - close.t <= AT_ONCE_NS;
      // what was unmapped before that is of another interrupt, if there is one of this
      if (!atOnce && at >= 0) break;
      for (const {pfn, pages} of runs) {
        const first = Math.max(pfn, head);
        const end = Math.min(pfn + pages, head + size);
        if (end <= first) continue;
        if (!atOnce || at >= 0 || end - first !== n) told = false;
        if (at < 0 && end - first === n) [found, at] = [first, i];
      }
    }
    if (at >= 0) run.windows.splice(at, 1);
    this.told = told && this.onlyEnds(row, kind, found, n);
    return found;
  }

  /**
   * Whether the drop that follows the unmapping of [first, first + n) of a folio can be of no other pages of it. A long-term pin
   * outlives its I/O; and beside one that does not, another may end that no device has mapped: virtio without an IOMMU, loop and
   * pmem map nothing, and unpin in an interrupt, or in a worker, as others do.
   */
  private onlyEnds(row: number, kind: ReferenceKind, first: number, n: number): boolean {
    const {pages, capture} = this.around;
    let covering = 0;
    let ending = 0;
    for (let r = pages.references[row]; r; r = r.next) {
      if (r.kind !== kind) continue;
      const stays = r.gupFlags >= 0 && capture.era.isLongterm(r.gupFlags) === true;
      const covers = r.sub < 0 || (r.sub < first + n && first < r.sub + r.span);
      if (covers) covering++;
      if (covers && !stays) ending++;
      if (!covers && !stays && !this.isMapped(r)) return false;
    }
    return covering === 0 || ending > 0;
  }

  /** Whether a device has a page of a reference mapped. */
  private isMapped({sub, n}: Reference): boolean {
    const {pages} = this.around;
    for (let i = 0; i < n; i++) {
      const row = pages.find(sub + i);
      if (row >= 0 && pages.dma[row] !== undefined) return true;
    }
    return false;
  }
}
