/**
 * The ledger: events in, per-page histories of typed references out.
 *
 * It keeps what is true now (page table, live references, open windows) and tells listeners of every change that a
 * verdict could turn on. It judges nothing. Here its tables and trackers are made, and each kind of event is handed to
 * the tracker that understands it. The deltas by kernel version are those of kernel mm/gup.c, 4.9 to 7.2
 * (pin: +1024n, or +n and +1023n; unpin: -1024n, or -(1024n-1) and -1; large folios: +n and -n).
 */
import {Capture} from '../capture/capture.js';
import {EventKind as K, type EventSink, type Loss, type TraceEvent} from '../events/event.js';
import type {TimeBase} from '../base/time.js';
import {Book} from './book.js';
import {Hooks, type Listener} from './listener.js';
import {Evidence} from './tables/evidence.js';
import {PageTable} from './tables/page-table.js';
import {Stacks} from './tables/stacks.js';
import {Tasks} from './tables/tasks.js';
import type {Around} from './trackers/around.js';
import {Batches} from './trackers/batches.js';
import {Calls, slotOf} from './trackers/calls.js';
import {Files} from './trackers/files.js';
import {Holdings} from './trackers/holdings.js';
import {Lifetime} from './trackers/lifetime.js';
import {Mappings} from './trackers/mappings.js';
import {Marks} from './trackers/marks.js';
import {PinCalls} from './trackers/pin-calls.js';
import {Probes} from './trackers/probes.js';
import {RefCounts} from './trackers/ref-counts.js';
import {Replay} from './trackers/replay.js';
import {Typing} from './trackers/typing.js';
import {UnpinCalls} from './trackers/unpin-calls.js';
import {WritebackTracker} from './trackers/writeback-tracker.js';

/** Kinds of events that name a folio, or a page that may be a part of one. */
const NAMES_FOLIO = new Uint8Array(256);
for (const kind of [
  K.Grab,
  K.GrabReturn,
  K.GupPut,
  K.AddPin,
  K.UnpinCall,
  K.WritebackStart,
  K.WritebackEnd,
  K.ClearDirtyForIo,
  K.MarkDirty,
])
  NAMES_FOLIO[kind] = 1;

export class Ledger implements EventSink, Around {
  readonly capture: Capture;
  readonly pages = new PageTable();
  readonly evidence: Evidence;
  readonly book: Book;
  readonly calls = new Calls();
  /** what rules and collectors listen to */
  readonly on = new Hooks();
  /** rows whose every change listeners want to hear of (`counted`), although they hold nothing */
  readonly watched = new Set<number>();

  readonly files: Files;
  readonly held: Holdings;
  /** the raw counts, added up */
  readonly counts: Replay;
  readonly dma: Mappings;
  readonly writeback: WritebackTracker;
  readonly probes: Probes;
  readonly typing: Typing;
  readonly refs: RefCounts;
  private readonly lifetime: Lifetime;
  private readonly unpinCalls: UnpinCalls;
  private readonly pinCalls: PinCalls;
  private readonly batches = new Batches();
  private readonly marks: Marks;

  constructor(time: TimeBase) {
    this.capture = new Capture(time);
    const {limits} = this.capture;
    const tasks = new Tasks(limits);
    this.evidence = new Evidence(tasks, new Stacks(limits));
    this.book = new Book(this.pages, this.evidence);
    this.files = new Files(this);
    this.held = new Holdings(this);
    this.counts = new Replay(this, this.held);
    this.dma = new Mappings(this);
    this.writeback = new WritebackTracker(this, this.files, this.dma.under);
    this.pinCalls = new PinCalls(this);
    this.unpinCalls = new UnpinCalls(this, this.held);
    this.probes = new Probes(this, this.held, this.counts, this.dma.under);
    this.typing = new Typing(this, this.held, this.counts);
    this.marks = new Marks(this);
    this.lifetime = new Lifetime(this, this.held, this.files, this.writeback);
    this.refs = new RefCounts(this, this.watched, {
      replay: this.counts,
      batches: this.batches,
      writeback: this.writeback,
      probes: this.probes,
      unpinCalls: this.unpinCalls,
      typing: this.typing,
      lifetime: this.lifetime,
    });
    this.evidence.onStack = (target, stack) => {
      this.probes.stackKnown(target, stack);
      this.typing.stackKnown(target, stack);
    };
  }

  /** Takes over what a trial run over the head of the same trace found out. */
  learnFrom(trial: Ledger): void {
    this.capture.learnFrom(trial.capture);
    this.counts.learnFrom(trial.counts);
    this.unpinCalls.learnFrom(trial.unpinCalls);
  }

  event(ev: TraceEvent): void {
    this.evidence.begin(ev);
    if (ev.kind === K.Mention || ev.kind === K.Marker) this.marks.event(ev);
    if (ev.kind === K.Mention) return; // of the ledger's events it is none
    if (!this.capture.event(ev)) return;
    if (this.calls.pending.length > 0) this.unpinCalls.settle(ev);
    if (ev.kind <= K.RefUnfreeze) this.refs.event(ev);
    else this.rare(ev);
    this.evidence.end(ev.cpu);
  }

  /** Everything but page_ref events. */
  private rare(ev: TraceEvent): void {
    if (ev.vmemmapHi !== 0) this.capture.identity.told(ev.vmemmapHi, ev.vmemmapLo, 'argument');
    this.batches.endedBy(ev);
    if (this.pages.anyLarge && NAMES_FOLIO[ev.kind] === 1) this.lifetime.folio(ev);
    const {drops} = this.capture;
    if (!drops.idle && ev.kind !== K.GupPut && ev.kind !== K.UnpinCall) drops.other(slotOf(this, ev), ev);
    switch (ev.kind) {
      case K.Grab:
        this.capture.coverage.saw(ev.fn, ev.t, ev.pid);
        this.probes.grab(ev);
        break;
      case K.GrabReturn:
        this.probes.grabReturn(ev);
        break;
      case K.GupPut:
        this.probes.put(ev);
        break;
      case K.AddPin:
        this.probes.addPin(ev);
        break;
      case K.UnpinCall:
        this.unpinCalls.call(ev);
        break;
      case K.BioRelease:
        this.calls.released(slotOf(this, ev), ev.t);
        break;
      case K.FoliosPut:
        this.batches.begin(ev);
        break;
      case K.PinCall:
        this.calls.pinning(slotOf(this, ev));
        this.pinCalls.call(ev);
        break;
      case K.PinReturn:
        this.pinCalls.returned(ev);
        break;
      case K.WritebackStart:
      case K.WritebackEnd:
      case K.ClearDirtyForIo:
      case K.MarkDirty:
        this.writeback.event(ev);
        break;
      case K.PageAlloc:
      case K.PageFree:
      case K.PageFreeBatched:
      case K.FolioPutLast:
        this.lifetime.event(ev);
        break;
      case K.CacheAdd:
      case K.CacheDelete:
        this.files.event(ev);
        break;
      default:
        if (
          (ev.kind >= K.DmaMap && ev.kind <= K.IommuUnmap) ||
          ev.kind === K.DmaMapSgReturn ||
          ev.kind === K.BlockIssue ||
          ev.kind === K.BlockComplete ||
          ev.kind === K.IommuFault ||
          ev.kind >= K.BlockRequeue
        )
          this.dma.event(ev);
    }
  }

  loss(loss: Loss): void {
    this.capture.loss(loss);
  }

  fact(input: number, name: string, value: string): void {
    this.capture.fact(input, name, value);
  }

  stackBegin(cpu: number, _pid: number): boolean {
    return this.evidence.stackBegin(cpu);
  }

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    this.evidence.stacks.frame(buf, start, end);
  }

  stackEnd(number?: number): void {
    this.evidence.stackEnd(number);
  }

  stackAgain(number: number): boolean {
    return this.evidence.stackAgain(number);
  }

  /** Adds listeners; each hears of everything from now on, in the order they were added. */
  listen(listeners: readonly Listener[]): void {
    for (const listener of listeners) this.on.add(listener);
  }

  /** Call after the last event. */
  end(): void {
    this.unpinCalls.end();
    this.dma.end();
    this.capture.end();
    for (const ended of this.on.ended) ended(this.capture.last);
  }

  /** Whether takings of pins are in the trace at all. */
  get takesSeen(): boolean {
    return this.held.takenPins > 0 || this.capture.records(K.Grab);
  }
}
