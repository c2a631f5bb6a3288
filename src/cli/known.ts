/** Filters that name what the trace does not have: an error that says what it has, for nothing would be found and mean nothing. */
import {globMatches} from '../base/glob.js';
import {INODES_MAX} from '../ledger/trackers/files.js';
import type {InodeChoice, Instant, Range, Selection, TimeSpan} from '../base/selection.js';
import type {FindingOptions} from './options.js';
import {nearest} from './values.js';
import {UserError} from '../io/user-error.js';
import {type Heard, spanOf} from '../run/basis.js';
import {deviceText} from '../words/file.js';
import {time} from '../words/format.js';
import {timesOf} from '../words/times.js';

/** Names that an error lists. */
const LISTED = 8;

/** Throws UserError for the first filter that names nothing of the trace. */
export function checkKnown(
  heard: Heard,
  {selection: s, filters}: {selection: Selection; filters: FindingOptions['filters']},
): void {
  const {ledger: m, inputs} = heard;
  const tasks = m.evidence.tasks.all();
  names('--comm', s.comm, 'task', [...new Set(tasks.map((task) => task.comm))]);
  names('--device', s.device, 'device', [...new Set(m.dma.devices.map((device) => device.name))]);
  numbers(
    '--pid',
    s.pid,
    'task',
    [...new Set(tasks.flatMap(({pid, tgid}) => (tgid >= 0 ? [pid, tgid] : [pid])))],
    String,
  );
  const cpus = new Set<number>();
  for (const {reader} of inputs)
    reader.counters.firstTime.forEach((t, cpu) => {
      if (!Number.isNaN(t)) cpus.add(cpu);
    });
  numbers('--cpu', s.cpu, 'CPU', [...cpus], String);
  if (s.time !== undefined) times(timesOf(m, ...spanOf(heard)), s.time);
  // of more files than are told apart, any may be meant
  if (m.files.inodes.size < INODES_MAX) inodes(m.files.inodes, s.inode);
  if (s.pfn.length > 0) pages(m.pages, s.pfn, hexHint(filters));
}

function names(flag: string, asked: readonly string[], what: string, known: readonly string[]): void {
  for (const pattern of asked) {
    if (known.some((name) => globMatches(pattern, name))) continue;
    const near = nearest(pattern, known);
    throw unknown(flag, pattern, `no ${what} of this trace is named so`, known, near);
  }
}

function numbers(
  flag: string,
  asked: readonly Range[],
  what: string,
  known: readonly number[],
  text: (value: number) => string,
): void {
  for (const {first, last} of asked) {
    if (known.some((value) => value >= first && value <= last)) continue;
    const shown = first === last ? text(first) : `${text(first)}-${text(last)}`;
    throw unknown(flag, shown, `no ${what} of this trace has this number`, known.toSorted((a, b) => a - b).map(text));
  }
}

/** `known`: the device of each number, -1 where it is of several. */
function inodes(known: ReadonlyMap<number, number>, asked: readonly InodeChoice[]): void {
  for (const {ino, devId} of asked) {
    numbers('--inode', [{first: ino, last: ino}], 'file', [...known.keys()], String);
    const dev = known.get(ino) ?? -1;
    if (devId === null || dev < 0 || dev === devId) continue;
    throw new UserError(`--inode ${deviceText(devId)}/${ino}: this trace has no such file`, {
      next: `the one of this number is ${deviceText(dev)}/${ino}`,
    });
  }
}

/** A span that no event of the trace is in; of a counting clock, only where it was typed as counts. */
function times({start_ns, end_ns, start_ticks, end_ticks}: ReturnType<typeof timesOf>, asked: TimeSpan): void {
  const ticks = start_ticks !== undefined;
  const [first, last] = ticks ? [start_ticks, end_ticks] : [start_ns, end_ns];
  if (typeof first !== 'string' || typeof last !== 'string') return;
  const of = (instant: Instant | null): bigint | null => (ticks ? instant?.ticks : instant?.ns) ?? null;
  const [from, to] = [of(asked.from), of(asked.to)];
  const after = from !== null && from > BigInt(last);
  if (!after && (to === null || to >= BigInt(first))) return;
  const shown = (instant: bigint | null): string =>
    instant === null ? '' : ticks ? String(instant) : time(String(instant));
  throw new UserError(`--time ${shown(from)},${shown(to)}: all of this trace is ${after ? 'before' : 'after'} it`, {
    next: `it runs from ${shown(BigInt(first))} to ${shown(BigInt(last))}`,
  });
}

interface Pages {
  size: number;
  pfn: ArrayLike<number>;
  order: ArrayLike<number>;
}

/** What to say to page frames that were typed as decimal numbers and are not in the trace. */
export function hexHint(filters: FindingOptions['filters']): string {
  const typed = filters.filter(({flag}) => flag === '--pfn').flatMap(({value}) => value.split(/[,-]/));
  return typed.every((item) => /^\s*0x/i.test(item)) ? '' : '; PFNs in a trace are hexadecimal: write them with 0x';
}

function pages({size, pfn, order}: Pages, asked: readonly Range[], hint: string): void {
  const left = new Set(asked);
  let [least, most] = [Infinity, -Infinity];
  for (let row = 0; row < size; row++) {
    const first = pfn[row]!;
    const last = first + 2 ** order[row]! - 1;
    if (first < least) least = first;
    if (last > most) most = last;
    for (const range of left) if (first <= range.last && last >= range.first) left.delete(range);
    if (left.size === 0) return;
  }
  const [range] = left;
  if (range === undefined) return;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const shown = range.first === range.last ? hex(range.first) : `${hex(range.first)}-${hex(range.last)}`;
  throw new UserError(`--pfn ${shown}: no event of this trace names such a page`, {
    next: size === 0 ? 'it names no page at all' : `its ${size} pages are from ${hex(least)} to ${hex(most)}${hint}`,
  });
}

function unknown(flag: string, value: string, why: string, known: readonly string[], near?: string): UserError {
  const listed = known.slice(0, LISTED).join(', ');
  const all =
    known.length === 0 ? 'there are none' : `there are ${known.length}: ${listed}${known.length > LISTED ? '...' : ''}`;
  return new UserError(`${flag} ${value}: ${why}`, {next: near === undefined ? all : `did you mean ${near}? (${all})`});
}
