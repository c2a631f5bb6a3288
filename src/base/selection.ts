/** What a user may ask for: pages, times, tasks, CPUs, devices, files; a kernel. */

/** An inclusive range of integers; a single value has both ends equal. */
export interface Range {
  first: number;
  last: number;
}

/** An instant as a trace prints it. */
export interface Instant {
  /** ns on a clock printed in seconds */
  ns: bigint;
  /** the same text read as one number of a counting clock; null when it has a fraction */
  ticks: bigint | null;
}

/** `--time A,B`; null where that end is open. */
export interface TimeSpan {
  from: Instant | null;
  to: Instant | null;
}

/** `--inode`: an inode number, with the device it lives on when that was given. */
export interface InodeChoice {
  /** major * 2^20 + minor, as in TraceEvent.devId; null for any device */
  devId: number | null;
  ino: number;
}

/** `--kernel 6.12` */
export interface KernelVersion {
  major: number;
  minor: number;
  /** as typed */
  text: string;
}

/** Which pages, tasks and times are reported; empty lists restrict nothing. */
export interface Selection {
  pfn: Range[];
  time: TimeSpan | undefined;
  pid: Range[];
  /** whole names, as the trace prints them */
  comm: string[];
  cpu: Range[];
  device: string[];
  inode: InodeChoice[];
}
