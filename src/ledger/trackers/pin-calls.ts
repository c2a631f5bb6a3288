/** pin_user_pages*() calls that run in tasks: which pins are of one call, and whether what they grab is what they return. */
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
import type {PinCall} from './calls.js';

/** Most calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 100_000;

export class PinCalls {
  constructor(private readonly around: Uses<'capture' | 'evidence' | 'calls' | 'on'>) {}

  /** A task calls pin_user_pages*(). */
  call(ev: TraceEvent): void {
    const {around} = this;
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
      if (ev.ret > 0) around.capture.audit.balanced++;
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
}
