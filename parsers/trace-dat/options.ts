/** The options of a trace.dat: number, size, contents (trace-cmd's include/private/trace-cmd-private.h). */
import {Cursor, latin1} from '../records/cursor.js';

export const Option = {
  done: 0,
  /** hexadecimal microseconds, as text: the wall clock less the trace's, which trace-cmd report adds to every time */
  date: 1,
  /** the text of per_cpu/cpuN/stats */
  cpuStat: 2,
  buffer: 3,
  /** the text of trace_clock; empty in files of 2.x */
  traceClock: 4,
  /** `Linux host 6.12.117 x86_64` */
  uname: 5,
  /** nanoseconds to add to every time, as text */
  offset: 7,
  cpuCount: 8,
  /** trace-cmd's own version */
  version: 9,
  /** times of a guest against its host: not applied */
  timeShift: 12,
  guest: 13,
  /** u32 mult, u32 shift, u64 offset */
  tsc2nsec: 14,
  strings: 15,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
  /** a buffer that is text: a latency tracer's */
  bufferText: 22,
  btf: 23,
  lastBoot: 24,
} as const;

/** Most bytes of one option. */
export const OPTION_MAX = 1 << 26;

export interface RawOption {
  id: number;
  data: Uint8Array;
}

/** `u16 id, u32 size, data`; the id is read already. */
export function readOption(c: Cursor, id: number): RawOption {
  return {id, data: c.bytes(c.u32(), OPTION_MAX)};
}

/** Text of an option, up to its NUL. */
export function textOf({data}: RawOption): string {
  return latin1(data).replace(/\0[\s\S]*$/, '');
}

/** The clock in brackets: `[local] global counter ...`; or the only word there is. */
export function clockIn(text: string): string | undefined {
  return /\[(\S+)\]/.exec(text)?.[1] ?? (/^\s*(\S+)\s*$/.exec(text)?.[1] || undefined);
}

/** What a buffer lost on one CPU, as the kernel counted (per_cpu/cpuN/stats). */
export interface CpuStats {
  buffer: string;
  cpu: number;
  /** events that were in the buffer when it was asked */
  entries: number;
  /** events read out before */
  read: number;
  /** events overwritten before they were read */
  overrun: number;
  /** events not written, because the buffer was full and not to be overwritten */
  dropped: number;
  /** events not written, because the buffer had wrapped to an event of which the end was still to be written: an interrupt storm */
  commitOverrun: number;
}

/**
 *     CPU: 0
 *     entries: 0
 *     overrun: 1289
 *     commit overrun: 0
 *     ...
 *     dropped events: 0
 *     read events: 1541
 *
 * `Buffer: NAME` stands in an option of its own before those of an instance.
 */
export function cpuStats(text: string, buffer: string): CpuStats | undefined {
  const number = (key: string): number => Number(new RegExp(`^${key}:\\s*(\\d{1,15})`, 'm').exec(text)?.[1] ?? NaN);
  const cpu = number('CPU');
  if (!(cpu >= 0)) return undefined;
  return {
    buffer,
    cpu,
    entries: number('entries'),
    read: number('read events'),
    overrun: number('overrun'),
    dropped: number('dropped events'),
    commitOverrun: number('commit overrun'),
  };
}

/** What turns ticks of the TSC into ns. */
export interface Tsc2Nsec {
  mult: number;
  shift: number;
}

/** trace-cmd reads a third number, an offset, and adds it to nothing. */
export function tsc2nsecOf({data}: RawOption, little: boolean): Tsc2Nsec | undefined {
  if (data.length < 16) return undefined;
  const c = Cursor.of(data, little);
  const mult = c.u32();
  const shift = c.u32();
  return mult > 0 && shift <= 32 ? {mult, shift} : undefined;
}
