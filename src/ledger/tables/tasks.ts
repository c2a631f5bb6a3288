import {inInterrupt, type TraceEvent} from '../../events/event.js';
import type {Limits} from '../../base/limits.js';

/** Most distinct (pid, comm) pairs kept; later ones share one entry that says so. */
const TASKS_MAX = 100_000;

export interface Task {
  comm: string;
  pid: number;
  /** -1 unknown */
  tgid: number;
}

/** Tasks by (pid, comm), interned: a million lines name a handful. */
export class Tasks {
  private readonly list: Task[] = [];
  /** by pid: the task last seen under it (a comm changes at exec; `<...>` hides it) */
  private readonly byPid = new Map<number, number>();

  // the answer for the line at hand, which is asked for several times
  private line = -1;
  private input = -1;
  private pid = -1;
  private task = -1;

  constructor(private readonly limits: Limits) {}

  /** The index of the task that an event names. */
  of(ev: TraceEvent): number {
    if (ev.line === this.line && ev.input === this.input && ev.pid === this.pid) return this.task;
    const known = this.byPid.get(ev.pid);
    this.task = known !== undefined && this.same(known, ev) ? known : this.add(ev, known);
    this.line = ev.line;
    this.input = ev.input;
    this.pid = ev.pid;
    return this.task;
  }

  /**
   * Whether a deed is an interrupt's work, in its context or in its thread: what ends there, others began. Where no context is
   * printed, what an idle task seems to do is an interrupt's.
   */
  byInterrupt({context, task}: {readonly context: number; readonly task: number}): boolean {
    return inInterrupt(context) || this.isInterruptThread(task) || (context < 0 && this.get(task).pid === 0);
  }

  /**
   * Whether a task is the thread of an interrupt, which PREEMPT_RT and `threadirqs` make of its handler (kernel/irq/manage.c):
   * `irq/31-nvme0q1`. It ends I/O that others began, in its own name and in no interrupt's context.
   */
  private isInterruptThread(index: number): boolean {
    return this.get(index).comm.startsWith('irq/');
  }

  /** Every task that was asked for. */
  all(): readonly Task[] {
    return this.list;
  }

  get(index: number): Task {
    return this.list[index] ?? UNKNOWN;
  }

  private same(index: number, ev: TraceEvent): boolean {
    const {comm} = this.list[index]!;
    const length = ev.commEnd - ev.commStart;
    // Non-ASCII comms compare by their first bytes only when lengths agree; a wrong "different" costs one entry.
    if (comm.length !== length) return false;
    for (let i = 0; i < length; i++) if (comm.charCodeAt(i) !== ev.buf[ev.commStart + i]) return false;
    return true;
  }

  private add(ev: TraceEvent, known: number | undefined): number {
    const comm = textOf(ev.buf, ev.commStart, ev.commEnd, 64);
    // `<...>` means that the kernel had forgotten the name: keep the name known for this pid.
    if (known !== undefined && (comm === '<...>' || comm === this.list[known]!.comm)) return known;
    if (this.list.length >= TASKS_MAX - 1) {
      this.limits.hit('tasks');
      this.list[TASKS_MAX - 1] = MORE;
      return TASKS_MAX - 1;
    }
    this.list.push({comm, pid: ev.pid, tgid: ev.tgid});
    this.byPid.set(ev.pid, this.list.length - 1);
    return this.list.length - 1;
  }
}

const MORE: Task = {comm: '(more tasks)', pid: -1, tgid: -1};
const UNKNOWN: Task = {comm: '?', pid: -1, tgid: -1};

/** Bytes as text (invalid UTF-8 becomes U+FFFD), at most `max` bytes of them. */
export function textOf(buf: Uint8Array, start: number, end: number, max: number): string {
  const stop = Math.min(end, start + max);
  return Buffer.prototype.utf8Slice.call(buf, start, stop);
}
