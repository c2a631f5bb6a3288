/**
 * Deeds that show as several events: a probe on a GUP function and the page_ref event that follows it on the same CPU and
 * task are one deed; so are unpin_user_pages(), the gup_put_folio() calls in it, and their page_ref events.
 *
 * A slot holds the last probe of each CPU and context (an interrupt's own calls must not take the interrupted task's
 * place), until the event that completes it comes.
 */
import type {TraceEvent} from '../../events/event.js';
import type {LineText} from '../../events/line-text.js';
import type {DmaWindow} from '../tables/dma.js';
import type {ReferenceKind} from '../../base/reference.js';
import type {Deed, Reference} from '../tables/references.js';

/** A probe that announces a change of the count. */
export interface Hint {
  from: 'grab' | 'put';
  pid: number;
  /** PFN of the page or folio named, -1 when its pointer could not be resolved */
  pfn: number;
  mayBeTail: boolean;
  ptrHi: number;
  ptrLo: number;
  hasPointer: boolean;
  kind: ReferenceKind | undefined;
  refs: number;
  gupFlags: number;
  t: number;
  cpu: number;
  task: number;
  context: number;
  input: number;
  line: number;
  text: LineText;
  stack: number;
  /** the reference, when it was taken on the probe alone */
  reference: Reference | undefined;
  /** an unpin was done on the probe alone */
  done: boolean;
  /** the +n half of a fast pin was seen */
  half: boolean;
  /** generation of the page's row when the probe was hit: a free in between ends what it announced */
  generation: number;
  /** where in its folio the pages lie, by the address that the running call is at; -1 not known */
  offset: number;
  /** it counts with the grabs of the running call */
  counted: boolean;
}

/** A hint to be filled in. Its times and pointers are doubles from the start, so that V8 writes them in place. */
export function newHint(): Hint {
  return {
    from: 'grab',
    pid: -1,
    pfn: 0.5,
    mayBeTail: false,
    ptrHi: 0.5,
    ptrLo: 0.5,
    hasPointer: false,
    kind: undefined,
    refs: 1,
    gupFlags: 0.5,
    t: 0.5,
    cpu: -1,
    task: -1,
    context: -1,
    input: 0,
    line: 0,
    text: '',
    stack: -1,
    reference: undefined,
    done: false,
    half: false,
    generation: 0,
    offset: -1,
    counted: false,
  };
}

/** unpin_user_pages() and kin: the sub-pages its gup_put_folio() calls are about. */
export interface UnpinCall {
  pid: number;
  /** PFNs as far as the trace lists them */
  pages: number[];
  /** position of the next page not yet dropped */
  next: number;
  nr: number;
  /** time of the call, and then of its last drop */
  t: number;
  /** pages dropped in it so far, known or not: once they are all, the call is over */
  done: number;
  /** head of the folio that the call names instead of pages (unpin_user_folio); -1 */
  folio: number;
  /** it names a list of pages */
  list: boolean;
  /** it may mark its pages dirty before it drops them */
  marks: boolean;
  /** the call itself as a deed, while `pending` or applied */
  deed: Deed | undefined;
  /** whether an event of its own will show the drop is not known yet */
  pending: boolean;
  /** the folio whose count changed as the call's first event, and no probe announced it; -1 */
  counted: number;
  /** the function called (src/events/functions.ts) */
  fn: number;
  /** pages whose drop may still show, although the call was taken for it */
  left: number;
  /** its pages were unpinned by its own arguments, because no event of the drop itself came */
  applied: boolean;
}

/** A call to be filled in: one object a slot (slotOf), written again by each call. */
export function newUnpinCall(): UnpinCall {
  return {
    pid: -1,
    pages: [],
    next: 0,
    nr: 0,
    t: 0.5,
    done: 0,
    folio: -1,
    list: false,
    marks: false,
    deed: undefined,
    pending: false,
    counted: -1,
    fn: 0,
    left: 0,
    applied: false,
  };
}

/** pin_user_pages*() running in a task. */
export interface PinCall {
  call: number;
  gupFlags: number;
  t: number;
  /** user address it begins at; 0 not traced */
  start: number;
  /** pages grabbed so far */
  grabbed: number;
}

/** Mappings that ended one after the other in one context of a CPU, as a completion does before it unpins. */
export interface UnmapRun {
  t: number;
  /** of the task, or of the one that was interrupted: an interrupt of another is another */
  pid: number;
  windows: DmaWindow[];
}

/** So soon after its beginning, or its last drop, a call that unpins goes on, on a slow machine and with an interrupt between. */
export const CALL_NS = 20_000_000;
const CONTEXTS = 4;
/** Most slots in which pages are released at a time. */
const RELEASES_MAX = 10_000;
/** Releasing the pages of one bio takes no longer, on a slow machine and with an interrupt between. */
const RELEASE_NS = 20_000_000;

export class Calls {
  readonly hints: (Hint | undefined)[] = [];
  /** by slot: the object of its last hint, for the next one; nobody keeps a hint once its slot has another */
  readonly spareHints: (Hint | undefined)[] = [];
  /** by slotOf(): the last that began there */
  readonly unpins = new Map<number, UnpinCall>();
  /** of these, slots whose unpin call is pending */
  readonly pending: number[] = [];
  /** by slot: mappings that ended there lately, with nothing but unpins since */
  readonly unmapped: (UnmapRun | undefined)[] = [];
  /** by pid: hints whose change has not come and whose slot another task has taken since (preempted between the two) */
  readonly displaced = new Map<number, Hint>();
  /** by pid: grabs that have not returned and whose slot another probe has taken since, of an interrupt or of another task */
  readonly unreturned = new Map<number, Hint>();
  /** by pid */
  readonly pins = new Map<number, PinCall>();
  /** by slotOf(): when the pages of an I/O that is over began to be released there, and nothing was pinned since */
  private readonly releases = new Map<number, number>();
  private calls = 0;

  /** __bio_release_pages(): what is unpinned next there is an I/O's, whoever does it (block/bio.c). */
  released(slot: number, t: number): void {
    if (this.releases.size >= RELEASES_MAX) this.releases.clear();
    this.releases.set(slot, t);
  }

  /** A task pins: it releases nothing any more. */
  pinning(slot: number): void {
    if (this.anyReleasing) this.releases.delete(slot);
  }

  /** Most traces show no releases: then nobody need be asked. */
  get anyReleasing(): boolean {
    return this.releases.size > 0;
  }

  isReleasing(slot: number, t: number): boolean {
    const since = this.releases.get(slot);
    return since !== undefined && t - since <= RELEASE_NS;
  }

  slot(cpu: number, context: number): number {
    return (cpu + 1) * CONTEXTS + Math.max(0, context);
  }

  /** The call that unpins pages which the event's task is in: some of its pages are left to drop. */
  unpinning(ev: Pick<TraceEvent, 'pid' | 'cpu' | 'context' | 't'>): UnpinCall | undefined {
    const call = this.unpins.get(slotOf({calls: this}, ev));
    return call?.pid === ev.pid && call.done < call.nr && ev.t - call.t <= CALL_NS ? call : undefined;
  }

  nextCall(): number {
    return ++this.calls;
  }
}

/** Where the calls of the event's task are kept. */
export function slotOf(
  {calls}: {readonly calls: Calls},
  {pid, cpu, context}: Pick<TraceEvent, 'pid' | 'cpu' | 'context'>,
): number {
  // A task keeps its call when it moves to another CPU; the idle tasks share pid 0, and an interrupt is not the task.
  return pid > 0 && context <= 0 ? pid : -1 - calls.slot(cpu, context);
}
