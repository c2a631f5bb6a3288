/** How many calls took pins: what a rate of findings is of. */
import type {Listener} from '../ledger/listener.js';
import type {Reference} from '../ledger/tables/references.js';

/** Takings without a call of their own that lie this close together, by one task on one CPU, are one call. */
export const DEED_NS = 100_000;

export class DeedCounter implements Listener {
  count = 0;
  /** by task and CPU: the call, or the time of the last taking */
  private readonly last = new Map<number, {call: number; t: number}>();

  taken(_row: number, {kind, task, cpu, call, t}: Reference): void {
    if (kind !== 'pin' || !Number.isFinite(t)) return;
    const who = (task + 1) * 65_536 + cpu;
    const before = this.last.get(who);
    if (before === undefined || (call > 0 ? call !== before.call : t - before.t > DEED_NS)) this.count++;
    this.last.set(who, {call, t});
  }
}
