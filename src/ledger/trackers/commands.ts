/**
 * Commands of NVMe and SCSI, joined to the mappings made for them: what requests.ts does where no block_rq_* event is in the
 * trace, and for commands that name no sectors there (passthrough).
 *
 *     nvme_setup_cmd: nvme0: ... qid=1, cmdid=45312, ... cmd=(nvme_cmd_write slba=16092, len=31, ...)   first the command,
 *     dma_map_phys: 0000:00:01.0 dir=TO_DEVICE dma_addr=99cee000 size=4096 ...                          then its mappings,
 *     dma_map_phys: 0000:00:01.0 dir=TO_DEVICE dma_addr=48315000 size=12288 ...                         in the same task
 *     nvme_complete_rq: nvme0: ... qid=1, cmdid=45312, ...                                              the device is done
 *
 * (drivers/nvme/host/pci.c: nvme_prep_rq(); drivers/scsi/scsi_lib.c: scsi_dispatch_cmd(), whose host driver maps. Whether a
 * command worked or not, the device is done with it: what is tried again is a command of its own. A command that timed out is
 * not done until its driver has taken it back.) A join is by the sum of sizes, in blocks of the device's size, which the sums
 * themselves tell, and believed once they have agreed several times with hardly a miss.
 */
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {DmaRequest, DmaWindow} from '../tables/dma.js';
import {requestOf} from './in-flight.js';
import type {Deed} from '../tables/references.js';

/** Most mappings of one command. */
const MAPPINGS_MAX = 512;
/** Most tasks that make commands at a time, commands in flight, devices and the commands of each that wait for belief. */
const TASKS_MAX = 1000;
const IN_FLIGHT_MAX = 100_000;
const JOINS_MAX = 1000;
const UNBELIEVED_MAX = 1000;
/** Blocks are of 512 bytes to 64 KiB (NVMe's LBADS, SCSI's READ CAPACITY); powers of two. */
const SHIFT_MIN = 9;
const SHIFT_MAX = 16;
/** So many sums that agree make a size believed, if at most one of so many commands did not. */
const HITS_FEW = 3;
const MISSES_SHARE = 8;

interface Command {
  readonly request: DmaRequest;
  /** controller or host, and what tells its units apart */
  readonly unit: string;
  readonly blocks: number;
  readonly task: number;
  /** of its mappings so far */
  bytes: number;
}

/** One that is complete. */
interface Completed {
  readonly command: Command;
  readonly deed: Deed;
  readonly slot: number;
  readonly since: number;
}

/** A unit and the DMA device that serves it. */
interface Join {
  /** commands with mappings */
  seen: number;
  /** by shift: sums that were whole blocks of that size, as many as the command says */
  readonly hits: Int32Array;
  /** the one that is believed; 0: none so far */
  shift: number;
  /** complete, before a size was believed */
  readonly waiting: Completed[];
}

export class Commands {
  /** by task (slotOf): the command that it makes */
  private readonly making = new Map<number, Command>();
  private readonly inFlight = new Map<string, Command>();
  private readonly joins = new Map<string, Join>();
  /** by slot of CPU and context: when the last completion came there */
  private readonly lastCompletion: number[] = [];

  constructor(
    /** the device is done with a window; `since`: when the command before it ended in this slot */
    private readonly done: (window: DmaWindow, deed: Deed, slot: number, since: number) => void,
  ) {}

  /** A mapping was made, in the calls of `task` (slotOf): it is of the command that the task makes, if any. */
  mapped(task: number, window: DmaWindow): void {
    const command = this.making.get(task);
    if (command === undefined) return;
    const {windows} = command.request;
    if (windows.length >= MAPPINGS_MAX) {
      this.making.delete(task);
      return;
    }
    windows.push(window);
    command.bytes += window.size;
    // it is known before it is complete, where its device is
    const shift = this.joins.get(joinName(command, windows[0]!.device))?.shift ?? 0;
    if (shift === 0 || window.device !== windows[0]!.device || command.bytes !== command.blocks * 2 ** shift) return;
    for (const made of windows) made.request ??= command.request;
  }

  /** nvme_setup_cmd, scsi_dispatch_cmd_start: the mappings that follow in this task are the command's. */
  start(ev: TraceEvent, task: number, deed: () => Deed): void {
    if (ev.nr <= 0) {
      this.making.delete(task); // not of reads and writes: how many bytes it has is not known
      return;
    }
    const request = requestOf(-1, ev.write !== 0, 0, [], deed());
    const command = {request, unit: unitOf(ev), blocks: ev.nr, task, bytes: 0};
    if (this.making.size >= TASKS_MAX) this.making.clear();
    this.making.set(task, command);
    if (this.inFlight.size >= IN_FLIGHT_MAX) this.inFlight.clear();
    this.inFlight.set(keyOf(ev), command);
  }

  /** nvme_complete_rq, scsi_dispatch_cmd_done. */
  complete(ev: TraceEvent, slot: number, deed: () => Deed): void {
    const since = this.lastCompletion[slot] ?? -Infinity;
    this.lastCompletion[slot] = ev.t;
    const key = keyOf(ev);
    const command = this.inFlight.get(key);
    if (command === undefined) return;
    this.inFlight.delete(key);
    if (this.making.get(command.task) === command) this.making.delete(command.task);
    const {windows} = command.request;
    // its mappings come first, all of one device
    const device = windows[0]?.device;
    if (device === undefined) return;
    const other = windows.findIndex((window) => window.device !== device);
    if (other > 0) windows.length = other;
    if (windows.some((window) => window.cut > 0)) return; // its bytes are not known
    const join = this.joinFor(joinName(command, device));
    join.seen++;
    for (let shift = SHIFT_MIN; shift <= SHIFT_MAX; shift++) {
      if (madeFor(windows, command.blocks * 2 ** shift) !== undefined) join.hits[shift]!++;
    }
    const completed = {command, deed: deed(), slot, since};
    join.shift = believed(join);
    if (join.shift > 0) {
      for (const before of join.waiting) this.tell(before, join.shift);
      join.waiting.length = 0;
      this.tell(completed, join.shift);
    } else if (join.waiting.length < UNBELIEVED_MAX) join.waiting.push(completed);
  }

  private tell({command: {request, blocks}, deed, slot, since}: Completed, shift: number): void {
    const made = madeFor(request.windows, blocks * 2 ** shift);
    if (made === undefined) return;
    request.completed = deed;
    for (const window of made) {
      // a block_rq_* event tells of it
      if (window.endedBy !== undefined || (window.request !== undefined && window.request !== request)) continue;
      window.request = request;
      this.done(window, deed, slot, since);
    }
  }

  private joinFor(name: string): Join {
    let join = this.joins.get(name);
    if (join === undefined) {
      if (this.joins.size >= JOINS_MAX) this.joins.clear();
      this.joins.set(name, (join = {seen: 0, hits: new Int32Array(SHIFT_MAX + 1), shift: 0, waiting: []}));
    }
    return join;
  }
}

/** The size of blocks on which the sums agree, as a shift; 0 while there is none. */
function believed({seen, hits}: Join): number {
  let best = 0;
  for (let shift = SHIFT_MIN; shift <= SHIFT_MAX; shift++) if (hits[shift]! > (hits[best] ?? 0)) best = shift;
  return hits[best]! >= HITS_FEW && (seen - hits[best]!) * MISSES_SHARE <= seen ? best : 0;
}

/** Of the mappings of one device after a command, those whose sizes add up: all, or all but the last (its metadata). */
function madeFor(windows: readonly DmaWindow[], bytes: number): readonly DmaWindow[] | undefined {
  let sum = 0;
  for (const {size} of windows) sum += size;
  if (sum === bytes) return windows;
  const last = windows[windows.length - 1]!;
  return windows.length > 1 && sum - last.size === bytes ? windows.slice(0, -1) : undefined;
}

/** What a command is known again by. */
function keyOf(ev: TraceEvent): string {
  // above its twelve bits an NVMe command's number has a generation, which completions of kernels before 5.15 do not print
  if (ev.kind === K.NvmeStart || ev.kind === K.NvmeDone) return `n${ev.ctrl}.${ev.queue}.${ev.tag % 4096}`;
  // two queues of a host may have one tag at a time, and kernels before 6.0 print none
  return `${unitOf(ev)}.${ev.tag}.${ev.sector}.${ev.nr}`;
}

function joinName({unit}: Command, device: number): string {
  return `${unit}>${device}`;
}

function unitOf(ev: TraceEvent): string {
  return ev.kind === K.NvmeStart ? `n${ev.ctrl}` : `s${ev.ctrl}.${ev.channel}.${ev.target}.${ev.lun}`;
}
