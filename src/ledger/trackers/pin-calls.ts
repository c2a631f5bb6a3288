/** pin_user_pages*() calls that run in tasks: which pins are of one call, and whether what they grab is what they return. */
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
import type {PinCall} from './calls.js';

/** Most calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 100_000;

export class PinCalls {
  /** by function: whether its calls are recorded, not its returns alone */
  private readonly called = new Uint8Array(256);
  /** when the last call of a task returned, by pid */
  private readonly lastReturn = new Map<number, number>();

  constructor(private readonly around: Uses<'capture' | 'evidence' | 'calls' | 'on'>) {}

  /** A task calls pin_user_pages*(). */
  call(ev: TraceEvent): void {
    const {around} = this;
    this.called[ev.fn] = 1;
    const before = around.calls.pins.get(ev.pid);
    if (before !== undefined) this.noReturn(before, ev);
    const flags = ev.hasFlags !== 0 ? ev.gupFlags : -1;
    around.calls.pins.set(ev.pid, {
      call: around.calls.nextCall(),
      gupFlags: flags,
      t: ev.t,
      start: ev.start,
      grabbed: 0,
    });
    if (around.calls.pins.size > CALLS_MAX) {
      around.calls.pins.clear();
      around.capture.limits.hit('calls', CALLS_MAX);
    }
  }

  /** It returns. */
  returned(ev: TraceEvent): void {
    const {around} = this;
    const call = around.calls.pins.get(ev.pid);
    if (!call) this.noCall(ev);
    this.lastReturn.set(ev.pid, ev.t);
    if (this.lastReturn.size > CALLS_MAX) this.lastReturn.clear();
    if (!call) return;
    around.calls.pins.delete(ev.pid);
    this.balance(call, ev);
    const task = around.evidence.tasks.of(ev);
    for (const tell of around.on.pinCallReturned)
      tell(task, call.call, call.gupFlags, ev.ret, () => around.evidence.deed(ev));
  }

  /** The pages that a pin call grabbed are those it returns. */
  private balance(call: PinCall, ev: TraceEvent): void {
    const {around} = this;
    if (!around.capture.records(K.Grab) || ev.hasRet === 0 || ev.ret < 0) return;
    if (call.grabbed === ev.ret) {
      if (ev.ret > 0 && this.allTook(call)) around.capture.audit.callBalanced(call.t);
      return;
    }
    // Grabs that were undone, or of the zero page, leave more than the call returns.
    if (call.grabbed > ev.ret) return;
    around.capture.audit.breach({
      law: 'grabs-sum-to-return',
      what: 'taken',
      from: call.t,
      to: ev.t,
      pfn: -1,
      line: ev.line,
      why: `the call that returns at line ${ev.line} pinned ${ev.ret} pages, and ${call.grabbed} grabs of it are in the trace`,
    });
  }

  /**
   * Whether each grab of a call that was probed took its pages. A fast one with FOLL_LONGTERM fails where the folio has to move, and the
   * slow path, which may not be probed, takes what it moved to; only its return tells (mm/gup.c: try_grab_folio_fast()).
   */
  private allTook({gupFlags}: PinCall): boolean {
    const {capture} = this.around;
    return capture.records(K.GrabReturn) || (gupFlags >= 0 && capture.era.isLongterm(gupFlags) === false);
  }

  /** A task is in one call at a time (none of the pin_user_pages family calls another): the return of the one before is missing. */
  private noReturn(call: PinCall, ev: TraceEvent): void {
    const {around} = this;
    if (!around.capture.records(K.PinReturn)) return;
    around.capture.audit.breach({
      law: 'call-returns',
      what: 'taken',
      from: call.t,
      to: ev.t,
      pfn: -1,
      line: ev.line,
      why: `the task calls again at line ${ev.line} and its call before has no return in the trace: what that pinned is not known`,
    });
  }

  /** A call returns that did not begin in the trace, though the task's call before it did end there. */
  private noCall(ev: TraceEvent): void {
    const {around} = this;
    const since = this.lastReturn.get(ev.pid);
    if (since === undefined || this.called[ev.fn] !== 1 || (ev.hasRet !== 0 && ev.ret <= 0)) return;
    around.capture.audit.breach({
      law: 'return-has-entry',
      what: 'taken',
      from: since,
      to: ev.t,
      pfn: -1,
      line: ev.line,
      why: `the call that returns at line ${ev.line} has no beginning in the trace: what it pinned is not known`,
    });
  }
}
