/**
 * A machine of several CPUs on which tasks and interrupts run at once. A deed is a generator: what it does between two
 * `yield`s happens at one moment; the yield says for how long it goes on, sleeps, or what it waits for. Always the CPU whose
 * clock is behind goes on, so that everything happens, and is written down, in the order of time.
 */
import {Random} from '../../fuzz/random.js';

/** ns that the deed goes on running, or sleeps (`idle`: outside the kernel), or something that it waits for. */
export type Step = number | {sleep: number; idle?: true} | Completion;
export type Deed<T = void> = Generator<Step, T, void>;

export class Completion {
  done = false;
  readonly waiting: Frame[] = [];
}

export interface Task {
  comm: string;
  pid: number;
  cpu: number;
}

/** A function that runs, and who called it. */
interface Call {
  name: string;
  caller: Call | undefined;
}

interface Frame {
  task: Task;
  call?: Call | undefined;
  deed: Deed<unknown>;
  context: '.' | 's' | 'h';
  ready: number;
  atomic: number;
}

interface Cpu {
  id: number;
  time: number;
  /** the task that runs, and the interrupts upon it */
  stack: Frame[];
  queue: Frame[];
  interrupts: {at: number; context: 's' | 'h'; deed: () => Deed}[];
}

/** A line of the whole record, of which a recording shows a part. */
export interface Written {
  t: number;
  cpu: number;
  comm: string;
  pid: number;
  context: '.' | 's' | 'h';
  name: string;
  text: string;
  /** functions that were running, innermost first, where the world keeps them */
  stack?: readonly string[];
}

const IDLE: Task = {comm: '<idle>', pid: 0, cpu: 0};
/** What an unwinder finds between an interrupt and what it interrupted (arch/x86/kernel/irq.c). */
const INTERRUPTED = {
  h: ['handle_edge_irq', '__common_interrupt', 'common_interrupt', 'asm_common_interrupt'],
  s: ['handle_softirqs', '__irq_exit_rcu', 'common_interrupt', 'asm_common_interrupt'],
};
const OUTERMOST = ['do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];

/** One task does several things at once, as a program does that waits for events. */
export function* inTurn(w: World, deeds: readonly Deed[]): Deed {
  const left = deeds.map((deed) => ({deed, ready: w.now}));
  while (left.length > 0) {
    const ready = left.filter((one) => one.ready <= w.now);
    if (ready.length === 0) {
      yield {sleep: Math.max(1000, Math.min(...left.map((one) => one.ready)) - w.now)};
      continue;
    }
    const one = w.random.of(ready);
    for (;;) {
      const {value, done} = one.deed.next();
      if (done === true) {
        left.splice(left.indexOf(one), 1);
        break;
      }
      if (typeof value === 'object' && 'idle' in value) {
        one.ready = w.now + value.sleep;
        break;
      }
      yield value;
    }
  }
}

export class World {
  readonly written: Written[] = [];
  /** what is written has its stack */
  keepsStacks = false;
  readonly random: Random;
  readonly cpus: Cpu[];
  /** the moment of the step at hand */
  now = 0;
  private here!: Cpu;
  private pids = 300;

  constructor(
    seed: number,
    cpus: number,
    readonly start_ns: number,
    private readonly preempted: number,
  ) {
    this.random = new Random(seed);
    this.now = start_ns;
    this.cpus = Array.from({length: cpus}, (_, id) => ({id, time: start_ns, stack: [], queue: [], interrupts: []}));
  }

  task(comm: string): Task {
    this.pids += 1 + this.random.below(5);
    return {comm, pid: this.pids, cpu: this.random.below(this.cpus.length)};
  }

  spawn(task: Task, deed: Deed<unknown>, after_ns = 0): void {
    this.queue({task, deed, context: '.', ready: this.now + after_ns, atomic: 0});
  }

  /** Device interrupts and what they raise: on whichever CPU, whatever it does. */
  interrupt(cpu: number, after_ns: number, deed: () => Deed, context: 's' | 'h' = 'h'): void {
    const {interrupts} = this.cpus[cpu]!;
    interrupts.push({at: this.now + after_ns, context, deed});
    interrupts.sort((a, b) => a.at - b.at);
  }

  complete(it: Completion): void {
    it.done = true;
    for (const frame of it.waiting.splice(0)) {
      frame.ready = this.now + 2000 + this.random.below(20_000);
      this.queue(frame);
    }
  }

  get current(): Task {
    return this.here.stack[0]?.task ?? IDLE;
  }

  get cpu(): number {
    return this.here.id;
  }

  /** Interrupts and other tasks are kept off this CPU until `atomicEnd`. */
  atomic(): void {
    this.here.stack.at(-1)!.atomic++;
  }

  atomicEnd(): void {
    this.here.stack.at(-1)!.atomic--;
  }

  /** A deed within calls, innermost first. */
  *within<T>(names: string | readonly string[], deed: Deed<T>): Deed<T> {
    const caller = this.here.stack.at(-1)!.call;
    const list = typeof names === 'string' ? [names] : names;
    this.here.stack.at(-1)!.call = list.reduceRight<Call | undefined>((c, name) => ({name, caller: c}), caller);
    const answer = yield* deed;
    // preempted meanwhile, it goes on in another place
    this.here.stack.at(-1)!.call = caller;
    return answer;
  }

  /** An interrupt's stack goes on with that of what it interrupted. */
  private stack(): string[] {
    const names: string[] = [];
    for (const {call, context} of this.here.stack.toReversed()) {
      for (let c = call; c !== undefined; c = c.caller) names.push(c.name);
      names.push(...(context === '.' ? OUTERMOST : INTERRUPTED[context]));
    }
    return names;
  }

  write(name: string, payload: string): void {
    const {comm, pid} = this.here.stack[0]!.context === '.' ? this.here.stack[0]!.task : IDLE;
    const {context} = this.here.stack.at(-1)!;
    const written: Written = {t: this.now, cpu: this.here.id, comm, pid, context, name, text: `${name}: ${payload}`};
    if (this.keepsStacks) written.stack = this.stack();
    this.written.push(written);
  }

  between(least: number, most: number): number {
    return least + this.random.below(most - least + 1);
  }

  run(until_ns: number): void {
    for (;;) {
      let next: Cpu | undefined;
      let at = Infinity;
      for (const cpu of this.cpus) {
        const when = nextOf(cpu);
        if (when < at) [next, at] = [cpu, when];
      }
      if (next === undefined || at > until_ns) return;
      next.time = at;
      this.now = at;
      this.step(next);
    }
  }

  private queue(frame: Frame): void {
    if (this.random.chance(0.15)) frame.task.cpu = this.random.below(this.cpus.length);
    this.cpus[frame.task.cpu]!.queue.push(frame);
  }

  private step(cpu: Cpu): void {
    this.here = cpu;
    let top = cpu.stack.at(-1);
    const due = cpu.interrupts[0];
    const mayInterrupt = top === undefined || (top.atomic === 0 && top.context !== 'h');
    if (due !== undefined && due.at <= cpu.time && mayInterrupt && !(due.context === 's' && top?.context === 's')) {
      cpu.interrupts.shift();
      top = {task: IDLE, deed: due.deed(), context: due.context, ready: 0, atomic: 0};
      cpu.stack.push(top);
    } else if (
      top === undefined ||
      (cpu.stack.length === 1 && top.atomic === 0 && this.random.chance(this.preempted) && top.context === '.')
    ) {
      const i = cpu.queue.findIndex((frame) => frame.ready <= cpu.time);
      if (i >= 0) {
        if (top !== undefined) cpu.queue.push({...cpu.stack.pop()!, ready: cpu.time});
        [top] = cpu.queue.splice(i, 1) as [Frame];
        cpu.stack.push(top);
      }
    }
    if (top === undefined) return;
    const {value, done} = top.deed.next();
    if (done === true) {
      cpu.stack.pop();
      cpu.time += 200;
      return;
    }
    const step = value as Step;
    if (typeof step === 'number') {
      cpu.time += step;
      return;
    }
    cpu.stack.pop();
    cpu.time += 500;
    if (step instanceof Completion) {
      if (step.done) this.cpus[top.task.cpu]!.queue.push({...top, ready: cpu.time});
      else step.waiting.push(top);
    } else {
      top.ready = this.now + step.sleep;
      this.queue(top);
    }
  }
}

/** When a CPU has something to do next: at once while something runs on it. */
function nextOf(cpu: Cpu): number {
  if (cpu.stack.length > 0) return cpu.time;
  let next = cpu.interrupts[0]?.at ?? Infinity;
  for (const {ready} of cpu.queue) if (ready < next) next = ready;
  return Math.max(next, cpu.time);
}
