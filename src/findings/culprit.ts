/**
 * Who did it: the callers in a stack that tell something, else the function that was probed, else the task's name.
 *
 * A page's pin is taken in try_grab_folio() whoever asked for it, and what an interrupt does is done in the name of the
 * task it interrupted: neither names a culprit.
 */
import type {Finding, Party} from '../results/report.js';
import {callersIn, HELPERS} from '../words/callers.js';

/** Callers that make one culprit. */
const TELLING = 3;
/** Lines of one role that are looked at for a probe: of one page there are two at most, the probe's and the count's. */
const LOOKS = 4;

/** What was done to the page, in the order in which it names the hand that took, that let go, and that did the rest. */
const TAKES = ['pin', 'get', 'alloc'];
const DROPS = ['unpin', 'put', 'free', 'end-of-owner'];
const ACTS = ['writeback', 'writeback-start', 'dirty', 'dma-map'];

export interface Hands {
  taken: Hand | null;
  dropped: Hand | null;
  acted: Hand | null;
}

/** One side of one finding. */
export interface Hand {
  role: string;
  name: string;
  known_by: Party['known_by'];
  comm: string | null;
  frames?: string[];
}

export function handsOf(finding: Finding): Hands {
  return {taken: handOf(finding, TAKES), dropped: handOf(finding, DROPS), acted: handOf(finding, ACTS)};
}

function handOf(finding: Finding, roles: readonly string[]): Hand | null {
  for (const role of roles) {
    const task = finding.tasks.find((one) => one.role === role);
    const stack = finding.stacks.find((one) => one.role === role && one.frames.length > 0);
    // a stack alone does not make who did the rest a culprit: everybody maps
    if (task === undefined && (stack === undefined || roles === ACTS)) continue;
    const interrupt = task?.interrupt === true || task?.pid === 0;
    const comm = task === undefined || interrupt ? null : kindOfTask(task.comm);
    const frames = stack === undefined ? [] : callersIn(stack.frames).slice(0, TELLING);
    if (frames.length > 0) return {role, name: frames[0]!, known_by: 'stack', comm, frames};
    const probed = probedFunction(finding, role);
    if (probed !== null) return {role, name: probed, known_by: 'function', comm};
    if (interrupt) return {role, name: 'an interrupt', known_by: 'interrupt', comm};
    return {role, name: comm ?? 'an unseen task', known_by: 'comm', comm};
  }
  return null;
}

/** The function of a kprobe's line, `(vendor_done+0x0/0x40)`, unless it is one that everybody goes through. */
function probedFunction(finding: Finding, role: string): string | null {
  let looks = 0;
  for (const one of finding.evidence) {
    if (one.role !== role) continue;
    // Its line is read again, or rendered, when its text is asked for; those of further pages are like those of the first.
    if (++looks > LOOKS) break;
    const name = /\((?:[\w.]{1,128}\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8} <- )?([\w.]{1,128})\+0x/.exec(
      one.text.slice(0, 1024),
    )?.[1];
    if (name !== undefined && !HELPERS.test(name)) return name;
  }
  return null;
}

/** Workers of one kind are one name: kworker/u8:1 and kworker/0:2 are kworker, jbd2/vda1-8 is jbd2. */
function kindOfTask(comm: string): string {
  const kind =
    /^(kworker|ksoftirqd|migration|jbd2|irq|rcuop|cpuhp|scsi_eh|xfs-[a-z]{1,12}|btrfs-[a-z]{1,12}|kcompactd|kswapd)(?=[/_0-9]|$)/.exec(
      comm,
    );
  return kind?.[1] ?? comm;
}
