/**
 * What the columns before an event are, worked out from many lines: a number that never decreases on any CPU is the
 * time, small numbers that several tasks share are CPUs, numbers that go with a name are pids. What is not proven is
 * skipped, not guessed: a line number or a pid is no time.
 */

import {Pattern, type Unit} from './pattern.js';
import {type Timed, unitOf} from './unit.js';

/** A line before whose event there are words. */
export interface Sample {
  words: readonly string[];
  /** the event's name */
  name: string;
  line: number;
}

export interface Inference {
  /** undefined where nothing stands before the event */
  pattern: Pattern | undefined;
  unit: Unit | undefined;
  /** the last column, which stands behind the event, is the time */
  last: boolean;
  evidence: string[];
}

/** No pid is larger (PID_MAX_LIMIT, include/linux/threads.h), no CPU (NR_CPUS), no line number of a head. */
const PID_MAX = 4194304;
const CPU_MAX = 8191;
/** Steps up that a small number has to make before it is a time. */
const STEPS = 5;
/** Of the numbers of a time so many differ. */
const DISTINCT = 0.5;
/** Columns are alike in so many of the lines. */
const ALIKE = 0.9;
/** A task changes its name so often at most (exec, prctl), where enough lines of it show that it keeps one. */
const EXECS = 2;
const EXEC_LINES = 8;
/** CPUs above it are believed where the numbers are dense only. */
const CPUS_USUAL = 64;
/** A few lines of a long trace may stand a little late. */
const LATE = 0.005;

type Shape = 'int' | 'decimal' | 'clock' | 'task' | 'pids' | 'word';

interface Column {
  at: number;
  shape: Shape;
  /** what stands around the value, the same in every line: `[` and `]:` */
  before: string;
  after: string;
  /** between name and number of a task */
  between: string;
  values: string[];
  numbers: number[];
  /** what a key or a literal says of itself: `cpu=`, `CPU` */
  says: string;
}

/** A word taken apart. */
interface Word {
  shape: Shape;
  before: string;
  after: string;
  between: string;
  value: string;
  number: number;
  says: string;
}

const CLOCK = /^(\d\d:\d\d:\d\d(?:\.\d{1,9})?)([:,;]?)$/;
const NUMBER =
  /^([[(<#@]?)((?:(?:cpu|pid|tid|tgid|ts|t|time|timestamp|elapsed|[a-z]{0,9}_?[num]s(?:ecs?)?)[=:]?)?)(\d{1,20})(\.\d{1,9})?([\])>]?[:,;)]?)$/i;
const TASK = /^(.{1,15}?)([-/:]|\(|\[)(\d{1,10})([)\]]?[:,;]?)$/;
/** thread group and thread */
const PIDS = /^(\d{1,10})\/(\d{1,10})([:,;]?)$/;
const DATE = /^\d{1,4}[-/]\d{1,2}[-/]\d{1,4}$/;
const NAMED = /^(comm[=:])(.{1,16})$/;

function take(word: string): Word {
  const none = {before: '', after: '', between: '', number: NaN, says: ''};
  let m = CLOCK.exec(word);
  if (m) return {...none, shape: 'clock', value: m[1]!, after: m[2]!};
  if ((m = NUMBER.exec(word))) {
    const [, open, says, digits, fraction, after] = m;
    const shape = fraction === undefined ? 'int' : 'decimal';
    const value = digits! + (fraction ?? '');
    return {
      ...none,
      shape,
      before: open! + says!,
      says: says!.replace(/[=:]$/, '').toLowerCase(),
      after: after!,
      value,
      number: Number(value),
    };
  }
  if ((m = NAMED.exec(word))) return {...none, shape: 'word', before: m[1]!, value: m[2]!, says: 'comm'};
  if ((m = PIDS.exec(word))) return {...none, shape: 'pids', value: word, number: Number(m[2]), after: m[3]!};
  if (DATE.test(word)) return {...none, shape: 'word', value: word};
  if ((m = TASK.exec(word)) && !/[=]/.test(word)) {
    return {...none, shape: 'task', value: m[1]!, between: m[2]!, number: Number(m[3]), after: m[4]!};
  }
  return {...none, shape: 'word', value: word};
}

/**
 * What stands before the events of these lines; undefined where nothing does. `behind`: the last word of each stands
 * behind the event.
 */
export function infer(samples: readonly Sample[], behind = false): Inference | undefined {
  const usual = mode(samples.map((s) => s.words.length));
  if (usual === 0) return undefined;
  const lines = samples.filter((s) => s.words.length === usual);
  const columns = Array.from({length: usual}, (_, at) => columnOf(lines, at));
  const roles: (string | undefined)[] = columns.map(() => undefined);
  const told: string[] = [];

  const time = timeOf(columns, lines);
  let unit: Unit | undefined;
  if (time) {
    roles[time.column.at] = 'time';
    told.push(time.why);
    unit = time.unit;
  }
  const rest = columns.filter((c) => c !== time?.column);
  const comm = commOf(rest);
  if (comm) roles[comm.at] = comm.shape === 'task' ? 'task' : 'comm';
  const pids = rest.find((c) => c.shape === 'pids');
  if (pids && comm?.shape !== 'task') roles[pids.at] = 'pids';
  assignNumbers(
    rest.filter((c) => c.shape === 'int'),
    comm,
    roles,
    told,
  );

  if (time && time.column.shape !== 'clock') {
    const said = saidUnit(time.column) ?? unitWord(columns[time.column.at + 1]);
    const whole = time.column.shape === 'int';
    const found = said === undefined && whole ? unitOf(timed(lines, columns, roles, time.column)) : undefined;
    unit = said ?? found?.unit ?? (whole ? 'unknown' : (secondsOf(time.column.values) ?? 'unknown'));
    if (said !== undefined) told.push(`the time says that it is in ${said}`);
    else if (found) told.push(found.why);
    else if (unit === 'unknown') told.push('the unit of the time is not proven');
  }
  const last = behind && time?.column.at === usual - 1;
  const before = behind ? columns.slice(0, -1) : columns;
  if (before.length === 0 && !last) return undefined;
  const text = before.map((c) => written(c, roles[c.at], unit)).join(' ');
  if (!time) told.push('no column is proven to be a time: what came first is not known');
  const evidence = [`line ${lines[0]!.line}: before the event stands '${text}' (--prefix tells otherwise)`, ...told];
  return {pattern: text === '' ? undefined : Pattern.parse(text), unit, last, evidence};
}

function mode(numbers: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const n of numbers) counts.set(n, (counts.get(n) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0])[0];
}

function columnOf(lines: readonly Sample[], at: number): Column {
  const words = lines.map((line) => take(line.words[at]!));
  const keyOf = ({shape, before, after, between}: Word): string => [shape, before, after, between].join('\0');
  const counts = new Map<string, number>();
  for (const word of words) counts.set(keyOf(word), (counts.get(keyOf(word)) ?? 0) + 1);
  const [best, count] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  const first = words.find((word) => keyOf(word) === best)!;
  const said = words.every((word) => word.says === first.says && word.before === first.before);
  if (count >= words.length * ALIKE && first.shape !== 'word') {
    const {shape, before, after, between, says} = first;
    return {
      ...{at, shape, before, after, between, says},
      values: words.map((word) => word.value),
      numbers: words.map((word) => (word.shape === shape ? word.number : NaN)),
    };
  }
  // a comm, whatever it looks like in some lines
  const before = said ? first.before : '';
  const last = lines[0]!.words[at]!.at(-1)!;
  const after = /[:,;]/.test(last) && lines.every((line) => line.words[at]!.endsWith(last)) ? last : '';
  const values = lines.map((line) => line.words[at]!.slice(before.length, after === '' ? undefined : -1));
  return {at, shape: 'word', before, after, between: '', says: said ? first.says : '', values, numbers: []};
}

interface Time {
  column: Column;
  unit: Unit | undefined;
  why: string;
}

function timeOf(columns: readonly Column[], lines: readonly Sample[]): Time | undefined {
  const groups = columns.filter((c) => c.numbers.length > 0 && (c.shape === 'int' || c.shape === 'task'));
  const found: (Time & {range: number})[] = [];
  for (const column of columns) {
    const {shape, numbers} = column;
    if (shape !== 'int' && shape !== 'decimal') continue;
    const by = [undefined, ...groups.filter((g) => g !== column)].find((g) => ascends(numbers, g?.numbers));
    if (by === undefined && !ascends(numbers, undefined)) continue;
    if (shape === 'int' && !isTime(numbers, lines)) continue;
    const within = by === undefined ? '' : ` where column ${by.at + 1} is the same`;
    found.push({
      column,
      unit: shape === 'decimal' ? 's' : undefined,
      why: `column ${column.at + 1} is the time: it never decreases${within} in ${lines.length} lines`,
      range: numbers.at(-1)! - numbers[0]!,
    });
  }
  if (found.length > 0) return found.reduce((a, b) => (b.range > a.range ? b : a));
  const clock = columns.find((c) => c.shape === 'clock');
  return clock && {column: clock, unit: 'clock', why: `column ${clock.at + 1} is a time of day`};
}

/** Whether numbers do not decrease, in all lines or in those of each value of a group. */
function ascends(numbers: readonly number[], group: readonly number[] | undefined): boolean {
  const last = new Map<number, number>();
  let late = 0;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]!;
    const key = group?.[i] ?? 0;
    if (Number.isNaN(value)) late++;
    else if (value < (last.get(key) ?? -Infinity)) late++;
    else last.set(key, value);
  }
  return late <= numbers.length * LATE;
}

/** Whether a number that never decreases can be nothing but a time: no pid, no CPU, no count of lines. */
function isTime(numbers: readonly number[], lines: readonly Sample[]): boolean {
  let up = 0;
  let counts = true;
  for (let i = 1; i < numbers.length; i++) {
    const step = numbers[i]! - numbers[i - 1]!;
    if (step > 0) up++;
    if (step !== lines[i]!.line - lines[i - 1]!.line && step !== 1) counts = false;
  }
  if (counts && numbers.length > 1) return false;
  if (numbers.every((n) => n > PID_MAX)) return true;
  const distinct = new Set(numbers).size;
  return up >= STEPS && distinct >= numbers.length * DISTINCT;
}

function commOf(columns: readonly Column[]): Column | undefined {
  // what tools put before a line (`HEAD:trace.txt:5`, `sh[812]`) stands before the task
  const task = columns.findLast((c) => c.shape === 'task');
  if (task) return task;
  const words = columns.filter((c) => c.shape === 'word' && c.values.every((v) => v.length <= 16));
  return words.find((c) => c.says === 'comm') ?? words.find((c) => new Set(c.values).size > 1) ?? words[0];
}

/** Which of the numbers are CPUs, and which name tasks. */
function assignNumbers(
  columns: readonly Column[],
  comm: Column | undefined,
  roles: (string | undefined)[],
  told: string[],
): void {
  const open: Column[] = [];
  const has = (role: string): boolean => roles.includes(role);
  const named = comm?.shape === 'task';
  for (const column of columns) {
    const said = ['cpu', 'pid', 'tid', 'tgid'].find((name) => column.says === name);
    const role = said === 'tgid' ? 'pid' : said;
    // a task's own number is its tid
    if (role !== undefined && !has(role) && !(named && role === 'tid')) roles[column.at] = role;
    else if (column.says === '') open.push(column);
  }
  const pids = open.filter((c) => goesWith(c, comm));
  if (!has('cpu')) {
    const small = open
      .filter((c) => fewCpus(c) && (!pids.includes(c) || named || contiguous(c)))
      .sort((a, b) => Math.max(...a.numbers) - Math.max(...b.numbers))[0];
    if (small && (named || !pids.includes(small) || open.length > 1)) {
      roles[small.at] = 'cpu';
      told.push(
        `column ${small.at + 1} is the CPU: ${new Set(small.numbers).size} small numbers, up to ${Math.max(...small.numbers)}`,
      );
    }
  }
  if (named || has('tid') || has('pids')) return;
  const left = pids.filter((c) => roles[c.at] === undefined);
  const [first, second] = left;
  // the thread group, then the thread: the same number for most
  const group = first !== undefined && second !== undefined && !has('pid') && isGroupOf(first, second);
  // of several the one whose numbers come again with their names
  const again = left.filter((c) => new Set(c.numbers).size < c.numbers.length);
  const tid = group ? second : left.length > 1 ? (again.length === 1 ? again[0] : undefined) : first;
  if (group) roles[first.at] = 'pid';
  if (!tid) return;
  roles[tid.at] = 'tid';
  told.push(`column ${tid.at + 1} names the task: each of its numbers goes with one name`);
}

function isGroupOf(group: Column, thread: Column): boolean {
  const same = group.numbers.filter((n, i) => n === thread.numbers[i]).length;
  return same * 2 >= group.numbers.length && group.numbers.every((n, i) => n <= thread.numbers[i]!);
}

/** Whether each number goes with one comm, as pids do, and there is more than one, or it is no small number. */
function goesWith(column: Column, comm: Column | undefined): boolean {
  const large = Math.max(...column.numbers) > CPU_MAX;
  if (!comm || comm.shape === 'task') return large || Math.max(...column.numbers) >= 100;
  const by = new Map<number, {name: string; lines: number; changes: number}>();
  let other = 0;
  column.numbers.forEach((n, i) => {
    const name = comm.values[i]!;
    const seen = by.get(n);
    if (seen === undefined) by.set(n, {name, lines: 1, changes: 0});
    else {
      seen.lines++;
      if (seen.name !== name) seen.changes++;
      seen.name = name;
    }
  });
  // the idle tasks of all CPUs have the pid 0, and a shell's child has the shell's name until it is the program
  for (const [n, {changes, lines}] of by) if (n !== 0 && changes > (lines >= EXEC_LINES ? EXECS : 0)) other++;
  if (other > by.size * (1 - ALIKE)) return false;
  return large || by.size > 1 || ![...by.keys()].every((n) => n < 100);
}

/** Numbers that may be CPUs: small, or as dense as those of a large machine. Pids of a short trace are neither. */
function fewCpus(column: Column): boolean {
  const most = Math.max(...column.numbers);
  return most <= CPU_MAX && most < Math.max(CPUS_USUAL, 4 * new Set(column.numbers).size);
}

/** 0, 1, 2, ... as the CPUs of a machine are */
function contiguous(column: Column): boolean {
  const values = [...new Set(column.numbers)].sort((a, b) => a - b);
  return values[0] === 0 && values.at(-1)! < 4 * values.length;
}

function timed(
  lines: readonly Sample[],
  columns: readonly Column[],
  roles: (string | undefined)[],
  time: Column,
): Timed[] {
  const of = (role: string): readonly number[] | undefined => columns[roles.indexOf(role)]?.numbers;
  const cpu = of('cpu');
  const tid = of('tid') ?? of('task') ?? of('pid');
  return lines.map((line, i) => ({t: time.numbers[i]!, cpu: cpu?.[i] ?? -1, tid: tid?.[i] ?? -1, name: line.name}));
}

const UNITS: Record<string, Unit> = {
  ns: 'ns',
  nsec: 'ns',
  nsecs: 'ns',
  us: 'us',
  usec: 'us',
  usecs: 'us',
  ms: 'ms',
  msec: 'ms',
  msecs: 'ms',
  s: 's',
  sec: 's',
  secs: 's',
  seconds: 's',
};

/** `nsecs=`, `ts_ns:` */
export function unitOfKey(key: string): Unit | undefined {
  const last = key.slice(key.lastIndexOf('_') + 1);
  return Object.hasOwn(UNITS, last) ? UNITS[last] : undefined;
}

/** The word behind a number: `61000030 us`. */
function unitWord(column: Column | undefined): Unit | undefined {
  const [first = ''] = column?.values ?? [];
  if (!column || column.shape !== 'word' || !column.values.every((value) => value === first)) return undefined;
  const word = first.replace(/[\])]?[:,;]?$/, '').toLowerCase();
  return Object.hasOwn(UNITS, word) ? UNITS[word] : undefined;
}

/** Numbers with a fraction of micro- or nanoseconds are seconds; of three digits they may be milliseconds as well. */
export function secondsOf(values: readonly string[]): Unit | undefined {
  const digits = values.reduce((most, value) => Math.max(most, value.length - 1 - value.indexOf('.')), 0);
  return digits >= 6 ? 's' : undefined;
}

function saidUnit(column: Column): Unit | undefined {
  return column.says === '' ? undefined : unitOfKey(column.says);
}

const TIME_FIELD: Record<Unit, string> = {
  ns: '%nsecs',
  us: '%usecs',
  ms: '%msecs',
  s: '%secs',
  clock: '%clock',
  unknown: '%ticks',
};

function written(column: Column, role: string | undefined, unit: Unit | undefined): string {
  const literal = (text: string): string => text.replaceAll('%', '%%');
  const around = (field: string): string => literal(column.before) + field + literal(column.after);
  switch (role) {
    case 'time':
      return around(TIME_FIELD[unit ?? 'unknown']);
    case 'pids':
      return around('%pid/%tid');
    case 'task':
      return around(`%comm${literal(column.between)}%tid`);
    case undefined:
      return '%*';
    default:
      return around(`%${role}`);
  }
}
