/** What of a ledger can be compared with another's: nothing that a boot makes (PFNs, pids, times, offsets). */
import {asyncBufferFromFile, parquetReadObjects} from 'hyparquet';
import {UserError} from '../io/user-error.js';
import {DEED_NS} from '../readers/deeds.js';
import type {TableName} from '../readers/export/schema.js';
import type {TableFiles} from '../query/dataset.js';
import {type Histogram, put} from './statistics.js';

/** Rows that are held at a time as objects. */
const ROWS_AT_ONCE = 50_000;
export interface PlaceFacts {
  deeds: number;
  pins: number;
  /** from the taking to the last drop, one a deed */
  held: Histogram;
}

export interface CauseFacts {
  severity: string;
  rule: string;
  takenBy: string | null;
  sure: number;
  possible: number;
}

export interface Facts {
  traces: number;
  seconds: number;
  /** from the first deed to the last: what was recorded before and after is idle */
  busySeconds: number;
  losses: number;
  /** rules that ran, at least in part, in every trace */
  ran: Set<string>;
  deeds: number;
  places: Map<string, PlaceFacts>;
  causes: Map<string, CauseFacts>;
  /** from the last unmap to the unpin, by device, the shortest of each mapping */
  margins: Map<string, Histogram>;
}

type Cell = bigint | number | string | null;
type Cells = Record<string, Cell>;

/** Reads a ledger of one or several traces. Throws UserError where a table is missing or cannot be read. */
export async function factsOf(files: TableFiles, where: string): Promise<Facts> {
  const read = (table: TableName, columns: string[]) => rowsOf(files, where, table, ['trace_id', ...columns]);
  const facts: Facts = {
    traces: 0,
    seconds: 0,
    busySeconds: 0,
    losses: 0,
    ran: new Set(),
    deeds: 0,
    places: new Map(),
    causes: new Map(),
    margins: new Map(),
  };
  for await (const {start_ns, end_ns} of read('traces', ['start_ns', 'end_ns'])) {
    facts.traces++;
    if (typeof start_ns === 'bigint' && typeof end_ns === 'bigint') facts.seconds += Number(end_ns - start_ns) / 1e9;
  }
  for await (const _ of read('losses', ['line'])) facts.losses++;
  const runs = new Map<string, number>();
  for await (const {rule, status} of read('rules', ['rule', 'status']))
    if (status !== 'not-run') runs.set(String(rule), (runs.get(String(rule)) ?? 0) + 1);
  for (const [rule, n] of runs) if (n === facts.traces) facts.ran.add(rule);
  for await (const row of read('findings', ['cause', 'rule', 'severity', 'verdict', 'taken_by'])) addCause(facts, row);
  const names = new Map<string, string>();
  for await (const {trace_id, stack_id, place} of read('stacks', ['stack_id', 'place']))
    if (place !== null) names.set(`${trace_id} s${stack_id}`, String(place));
  for await (const {trace_id, task_id, comm} of read('tasks', ['task_id', 'comm']))
    names.set(`${trace_id} t${task_id}`, String(comm));
  const mapped = await mappedPages(read);
  await addPins(facts, read, names, mapped);
  return facts;
}

function addCause(facts: Facts, {cause, rule, severity, verdict, taken_by}: Cells): void {
  const known = facts.causes.get(String(cause)) ?? {
    severity: String(severity),
    rule: String(rule),
    takenBy: taken_by === null ? null : String(taken_by),
    sure: 0,
    possible: 0,
  };
  known[verdict === 'sure' ? 'sure' : 'possible']++;
  facts.causes.set(String(cause), known);
}

interface Mapping {
  device: string;
  mapped: bigint;
  unmapped: bigint;
  /** the shortest time from its end to an unpin */
  margin: bigint | null;
}
type Read = (table: TableName, columns: string[]) => AsyncIterable<Cells>;

/** Ended mappings by the life and page they covered, in order of their end. */
async function mappedPages(read: Read): Promise<Map<string, Mapping[]>> {
  const devices = new Map<string, string>();
  for await (const {trace_id, device_id, device} of read('devices', ['device_id', 'device']))
    devices.set(`${trace_id} ${device_id}`, String(device));
  const windows = new Map<string, Mapping>();
  for await (const row of read('dma_windows', ['window_id', 'device_id', 'mapped_ns', 'unmapped_ns'])) {
    const device = devices.get(`${row['trace_id']} ${row['device_id']}`);
    const {mapped_ns: mapped, unmapped_ns: unmapped} = row;
    if (device === undefined || typeof mapped !== 'bigint' || typeof unmapped !== 'bigint') continue;
    windows.set(`${row['trace_id']} ${row['window_id']}`, {device, mapped, unmapped, margin: null});
  }
  const pages = new Map<string, Mapping[]>();
  for await (const {trace_id, window_id, life_id, pfn, owner} of read('dma_pages', [
    'window_id',
    'life_id',
    'pfn',
    'owner',
  ])) {
    const window = windows.get(`${trace_id} ${window_id}`);
    if (window === undefined || owner === 'writeback') continue;
    const key = `${trace_id} ${life_id} ${pfn}`;
    const list = pages.get(key);
    if (list === undefined) pages.set(key, [window]);
    else list.push(window);
  }
  for (const list of pages.values())
    list.sort((a, b) => (a.unmapped < b.unmapped ? -1 : a.unmapped > b.unmapped ? 1 : 0));
  return pages;
}

/** A pin, or the pins of one deed: held as long as the one of them that was held longest. */
interface Taking {
  place: string;
  taken: bigint;
  held: bigint | null;
}

function join(deed: Taking, {held}: Taking): void {
  if (held !== null && (deed.held === null || held > deed.held)) deed.held = held;
}

/** Takings of one task on one CPU that no call tells apart: those that lie close together are one deed, as DeedCounter counts them. */
function together(takings: readonly Taking[]): Taking[] {
  const deeds: Taking[] = [];
  let last: bigint | undefined;
  for (const one of takings.toSorted((a, b) => (a.taken < b.taken ? -1 : a.taken > b.taken ? 1 : 0))) {
    const deed = deeds.at(-1);
    if (deed === undefined || last === undefined || one.taken - last > DEED_NS) deeds.push({...one});
    else join(deed, one);
    last = one.taken;
  }
  return deeds;
}

async function addPins(
  facts: Facts,
  read: Read,
  names: Map<string, string>,
  mapped: Map<string, Mapping[]>,
): Promise<void> {
  const deeds = new Map<string, Taking>();
  const loose = new Map<string, Taking[]>();
  const busy = new Map<string, {from: bigint; to: bigint}>();
  const columns = ['kind', 'n', 'ended', 'life_id', 'pfn', 'request_id', 'held_ns'];
  const times = ['taken_ns', 'taken_cpu', 'taken_task_id', 'taken_stack_id', 'dropped_ns'];
  for await (const row of read('refs', [...columns, ...times])) {
    const {trace_id, taken_ns: taken, dropped_ns: dropped, held_ns: held} = row;
    if (row['kind'] !== 'pin' || row['ended'] === 'withdrawn' || typeof taken !== 'bigint') continue;
    const span = busy.get(String(trace_id));
    if (span === undefined) busy.set(String(trace_id), {from: taken, to: taken});
    else if (taken < span.from) span.from = taken;
    else if (taken > span.to) span.to = taken;
    const place =
      names.get(`${trace_id} s${row['taken_stack_id']}`) ??
      names.get(`${trace_id} t${row['taken_task_id']}`) ??
      'unknown';
    const one: Taking = {place, taken, held: typeof held === 'bigint' ? held : null};
    if (row['request_id'] === null) {
      const who = `${trace_id} ${row['taken_task_id']}/${row['taken_cpu']} ${place}`;
      const list = loose.get(who);
      if (list === undefined) loose.set(who, [one]);
      else list.push(one);
    } else {
      const key = `${trace_id} ${row['request_id']} ${place}`;
      const deed = deeds.get(key);
      if (deed === undefined) deeds.set(key, one);
      else join(deed, one);
    }
    placeOf(facts, place).pins += Number(row['n']);
    if (row['ended'] === 'dropped' && typeof dropped === 'bigint')
      margin(mapped.get(`${trace_id} ${row['life_id']} ${row['pfn']}`), taken, dropped);
  }
  for (const {place, held} of [...deeds.values(), ...[...loose.values()].flatMap(together)]) {
    const of = placeOf(facts, place);
    of.deeds++;
    facts.deeds++;
    if (held !== null) put(of.held, Number(held));
  }
  for (const {from, to} of busy.values()) facts.busySeconds += Number(to - from) / 1e9;
  for (const window of new Set([...mapped.values()].flat())) {
    if (window.margin === null) continue;
    const histogram = facts.margins.get(window.device) ?? new Map();
    put(histogram, Number(window.margin));
    facts.margins.set(window.device, histogram);
  }
}

function placeOf(facts: Facts, place: string): PlaceFacts {
  const known = facts.places.get(place) ?? {deeds: 0, pins: 0, held: new Map()};
  facts.places.set(place, known);
  return known;
}

/** The last mapping that ended under a pin, before its drop. */
function margin(mappings: Mapping[] | undefined, taken: bigint, dropped: bigint): void {
  if (mappings === undefined) return;
  // the last that ended at or before the drop
  let [low, high] = [0, mappings.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (mappings[middle]!.unmapped <= dropped) low = middle + 1;
    else high = middle;
  }
  const last = mappings[low - 1];
  if (last === undefined || last.mapped < taken) return;
  const ns = dropped - last.unmapped;
  if (last.margin === null || ns < last.margin) last.margin = ns;
}

async function* rowsOf(files: TableFiles, where: string, table: TableName, columns: string[]): AsyncIterable<Cells> {
  const of = files.get(table);
  if (of === undefined)
    throw new UserError(`the ledger was exported without ${table}`, {where, next: 'export it again, without --tables'});
  for (const {file} of of) {
    try {
      const buffer = await asyncBufferFromFile(file);
      for (let rowStart = 0; ; rowStart += ROWS_AT_ONCE) {
        const rows = await parquetReadObjects({file: buffer, columns, rowStart, rowEnd: rowStart + ROWS_AT_ONCE});
        for (const row of rows as Cells[]) yield row;
        if (rows.length < ROWS_AT_ONCE) break;
      }
    } catch (error) {
      throw new UserError(`cannot be read: ${(error as Error).message}`, {
        where: file,
        next: 'export it again',
        cause: error,
      });
    }
  }
}
