/** Which pins count: --pfn, --time, --pid, --comm, --cpu and --inode, asked of each taking; --device, of mappings under it. */
import {globMatches} from '../../base/glob.js';
import type {Range, Selection} from '../../base/selection.js';
import type {Ledger} from '../../ledger/ledger.js';
import type {Reference} from '../../ledger/tables/references.js';

export interface PinChoice {
  taking(pin: Reference): boolean;
  /** a pin counts from when one of these devices maps its page; undefined: from its taking */
  device: ((index: number) => boolean) | undefined;
}

/** The choice of no choice. */
export const EVERY_PIN: PinChoice = {taking: () => true, device: undefined};

export function pinChoice(m: Ledger, selection: Selection): PinChoice {
  const {pfn, time, pid, comm, cpu, device, inode} = selection;
  if (pfn.length + pid.length + comm.length + cpu.length + device.length + inode.length === 0 && time === undefined)
    return EVERY_PIN;
  return {
    taking: takings(m, selection),
    device:
      device.length === 0
        ? undefined
        : (index) => device.some((pattern) => globMatches(pattern, m.dma.devices[index]!.name)),
  };
}

/** A pin from before the trace has no task, CPU or time: it counts only where none of them is asked for. */
function takings(m: Ledger, selection: Selection): (pin: Reference) => boolean {
  const {pfn, time, pid, comm, cpu, inode} = selection;
  const within = (ranges: readonly Range[], value: number): boolean =>
    ranges.some((r) => value >= r.first && value <= r.last);
  return (pin) => {
    if (pfn.length > 0) {
      const first = pin.sub >= 0 ? pin.sub : m.pages.pfn[pin.row]!;
      const last = first + (pin.sub >= 0 ? pin.n : 2 ** m.pages.order[pin.row]!) - 1;
      if (!pfn.some((r) => first <= r.last && last >= r.first)) return false;
    }
    if (cpu.length > 0 && !within(cpu, pin.cpu)) return false;
    if (pid.length > 0 || comm.length > 0) {
      if (pin.task < 0) return false;
      const task = m.evidence.tasks.get(pin.task);
      if (pid.length > 0 && !within(pid, task.pid) && !within(pid, task.tgid)) return false;
      if (comm.length > 0 && !comm.some((pattern) => globMatches(pattern, task.comm))) return false;
    }
    if (inode.length > 0) {
      const file = m.files.of(pin.row);
      if (file === undefined) return false;
      if (!inode.some(({devId, ino}) => ino === file.ino && (devId === null || devId === file.dev))) return false;
    }
    if (time === undefined) return true;
    if (!Number.isFinite(pin.t)) return false;
    const at = m.capture.time.absolute(pin.t);
    const from = m.capture.time.unit === 'ticks' ? time.from?.ticks : time.from?.ns;
    const to = m.capture.time.unit === 'ticks' ? time.to?.ticks : time.to?.ns;
    return (from === undefined || from === null || at >= from) && (to === undefined || to === null || at <= to);
  };
}
