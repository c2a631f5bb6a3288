/** What a recording script is asked to do. */
import {groupsFor, RULE_IDS, type Group} from './groups.js';
import {PROBES, TRACEPOINTS, type Probe, type Tracepoint} from './probes.js';

/** The tools a recording can be made with. */
export const RECORDERS = ['tracefs', 'trace-cmd', 'perf', 'bpftrace'] as const;
export type Recorder = (typeof RECORDERS)[number];

export interface RecordOptions {
  recorder: Recorder;
  /** rules to record for; all by default */
  rules: readonly string[];
  /** leave out what this kernel cannot have; undefined: the script finds out */
  kernel?: {major: number; minor: number};
  /** kernel stacks with pins, unpins and DMA events */
  stacks: boolean;
  /** only what these tasks do themselves; empty: everything */
  pids: readonly number[];
  /** seconds; undefined: until the command ends, or Ctrl-C */
  seconds?: number;
  /** version of pinscope, for the script's own header */
  version: string;
}

export function defaultOptions(recorder: Recorder, version: string): RecordOptions {
  return {recorder, rules: RULE_IDS, stacks: false, pids: [], version};
}

export interface Choice {
  groups: readonly Group[];
  probes: readonly Probe[];
  tracepoints: readonly Tracepoint[];
}

/** The candidates for these options; the script tries each on the machine itself. */
export function choose(options: RecordOptions): Choice {
  const groups = groupsFor(options.rules);
  const {kernel} = options;
  const order = (version: readonly [number, number]) => version[0] * 1000 + version[1];
  const at = kernel === undefined ? undefined : order([kernel.major, kernel.minor]);
  return {
    groups,
    probes: PROBES.filter(
      (probe) =>
        groups.includes(probe.group) &&
        (at === undefined ||
          ((probe.since === undefined || order(probe.since) <= at) &&
            (probe.until === undefined || at <= order(probe.until)))),
    ),
    tracepoints: TRACEPOINTS.filter(({group}) => groups.includes(group)),
  };
}
