/**
 * The lines of bpftrace programs that print in a style of their own, made into those of the documented schema:
 *
 *     [0] app/500 61000030000: gup_put_folio pfn=0x2a00          columns: which is what, is worked out (prefix/infer.ts)
 *     app-500 [000] 61.000030: gup_put_folio: pfn=0x2a00         like ftrace, without `(symbol+0x0/0x90)`
 *     14:03:01.000030 app 500 kprobe:gup_put_folio pfn=0x2a00    strftime(), the builtin probe
 *     gup_put_folio t=61000030000 cpu=0 pid=500 comm=app pfn=..  pairs, in any order
 *     app 500 gup_put_folio pfn=0x2a00 61000030000               the time last
 *     61000030000,0,500,app,gup_put_folio,pfn=0x2a00             commas, semicolons, bars, tabs; with a line of headings
 *     {"ts":61000030000,"ev":"gup_put_folio","pfn":"0x2a00"}     JSON by hand
 *     gup_put_folio: pfn: 0x2a00, refs: 1                        colons for equals signs
 */

import {COMMA, LBRACE, SPACE, TAB, text} from '../bytes.js';
import {infer, type Sample, secondsOf, unitOfKey} from '../prefix/infer.js';
import type {Pattern, Unit} from '../prefix/pattern.js';
import {type Timed, unitOf} from '../prefix/unit.js';
import {cells, MAX_LENGTH, Parter, type Parts, type Role, roleOf} from './parter.js';

/** How the lines of a program are read. */
export interface Style {
  readonly kind: 'text' | 'json';
  /** byte between cells; SPACE where words stand apart */
  readonly separator: number;
  /** headings of cells, where the first line has them */
  readonly headings: readonly string[] | undefined;
  /** what stands before the event's name; undefined where there is nothing, or pairs only */
  readonly pattern: Pattern | undefined;
  readonly last: boolean;
  /** of the time; undefined: no line has one that is proven */
  readonly unit: Unit | undefined;
  /** the clock is bpftrace's nsecs by its own words */
  readonly nsecs: boolean;
  /** a time of day has more than whole seconds */
  readonly fraction: boolean;
  readonly evidence: readonly string[];
}

/** What the lines of a head have in common. `lines` are those of the program, without what bpftrace itself prints. */
export function styleOf(
  lines: readonly {buf: Uint8Array; start: number; end: number; line: number}[],
): Style | undefined {
  const texts = lines.map(({buf, start, end}) => (end - start > MAX_LENGTH ? '' : text(buf, start, end)));
  const base = {
    headings: undefined,
    pattern: undefined,
    last: false,
    nsecs: false,
    fraction: texts.some((line) => /\d\d:\d\d:\d\d\.\d/.test(line)),
  };
  const objects = new Parter(SPACE);
  const json = lines.map(({buf, start, end}) => (buf[start] === LBRACE ? objects.json(buf, start, end) : undefined));
  if (json.some((parts) => parts !== undefined)) {
    return keyed(json, lines, {...base, kind: 'json', separator: SPACE}, 'JSON objects');
  }
  let best: {separator: number; parts: (Parts | undefined)[]; count: number; headings?: string[]} | undefined;
  for (const separator of [SPACE, COMMA, 59, 124, TAB]) {
    const parter = new Parter(separator);
    const parts = texts.map((line) => parter.line(line));
    // a name alone may stand in any text
    const count = parts.filter((p) => p !== undefined && p.pairs.length > 0).length;
    if (count > (best?.count ?? 0)) best = {separator, parts, count};
    const headings = separator === SPACE ? undefined : headingsOf(texts, separator);
    if (!headings) continue;
    const rows = texts.map((line) => parter.line(line, headings));
    const headedRows = rows.filter((p) => p !== undefined).length;
    if (headedRows > (best?.count ?? 0)) best = {separator, parts: rows, count: headedRows, headings};
  }
  if (!best) return undefined;
  const style = {...base, kind: 'text' as const, separator: best.separator, headings: best.headings};
  return keyed(best.parts, lines, style, best.headings ? `columns headed ${best.headings.join(', ')}` : 'lines');
}

/** Headings: words, one of them for the event's name. */
function headingsOf(texts: readonly string[], separator: number): string[] | undefined {
  const first = texts.find((line) => line !== '');
  const names = first === undefined ? [] : cells(first.replace(/^#\s*/, ''), separator);
  if (names.length < 3 || !names.every((name) => /^[A-Za-z_]\w*$/.test(name))) return undefined;
  return names.some((name) => roleOf(name) === 'name') ? names : undefined;
}

type Base = Omit<Style, 'unit' | 'evidence'>;

/** Completes a style: where the time is, and in what unit. */
function keyed(
  parts: readonly (Parts | undefined)[],
  lines: readonly {line: number}[],
  style: Base,
  what: string,
): Style {
  const events = parts.flatMap((p, i) => (p ? [{...p, line: lines[i]!.line}] : []));
  const first = events[0]!.line;
  const evidence: string[] = [];
  if (style.kind === 'json' || style.headings || style.separator !== SPACE) {
    evidence.push(
      `line ${first}: ${style.kind === 'json' || style.headings ? what : `cells between "${String.fromCharCode(style.separator)}"`}`,
    );
  }
  // pairs tell of themselves what they are
  const timeKey = common(events.map((e) => e.pairs.find(([key]) => roleOf(key) === 'time')?.[0]));
  const positional = events.some((e) => e.words.some((word) => !/^[A-Za-z_]\w*=/.test(word)));
  if (timeKey !== undefined && !positional) {
    const found = timeOfKey(events, timeKey);
    if (!found)
      return {...style, unit: undefined, evidence: [...evidence, `"${timeKey}" goes back and forth: it is no time`]};
    return {
      ...style,
      unit: found.unit,
      nsecs: timeKey.toLowerCase() === 'nsecs',
      evidence: [...evidence, `the time is "${timeKey}": ${found.why}`],
    };
  }
  const samples = events.map((e): Sample => ({words: e.words, name: e.name, line: e.line}));
  const shaped = style.kind === 'text' && !style.headings;
  let inferred = shaped ? infer(samples) : undefined;
  if (shaped && inferred?.unit === undefined && events.every((e) => e.trailing.length > 0)) {
    const behind = infer(
      events.map((e): Sample => ({words: [...e.words, e.trailing.at(-1)!], name: e.name, line: e.line})),
      true,
    );
    if (behind?.last) inferred = behind;
  }
  if (inferred?.unit !== undefined || timeKey === undefined) {
    const said = inferred?.evidence ?? ['no line prints a time: what came first is not known'];
    const {pattern, unit, last = false} = inferred ?? {};
    return {...style, pattern, last, unit, evidence: [...evidence, ...said]};
  }
  const found = timeOfKey(events, timeKey);
  const said = found ? `the time is "${timeKey}": ${found.why}` : `"${timeKey}" goes back and forth: it is no time`;
  return {
    ...style,
    pattern: inferred?.pattern,
    unit: found?.unit,
    evidence: [...evidence, ...(inferred?.evidence.slice(0, -1) ?? []), said],
  };
}

function common(values: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  return best && best[1] * 2 > values.length ? best[0] : undefined;
}

function timeOfKey(events: readonly Parts[], key: string): {unit: Unit; why: string} | undefined {
  const values = events.map((e) => e.pairs.find(([k]) => k === key)?.[1] ?? '');
  const value = (e: Parts, role: Role): number => Number(e.pairs.find(([k]) => roleOf(k) === role)?.[1] ?? NaN);
  if (values.every((v) => v === '' || /^\d\d:\d\d:\d\d(?:\.\d{1,9})?$/.test(v)))
    return {unit: 'clock', why: 'a time of day'};
  const last = new Map<number, number>();
  let late = 0;
  events.forEach((e, i) => {
    const cpu = value(e, 'cpu');
    const t = Number(values[i]);
    if (t < (last.get(cpu) ?? -Infinity)) late++;
    else last.set(cpu, t);
  });
  // without CPUs the buffers of several may stand one after the other: a time all the same, by its name
  if (late > events.length / 2) return undefined;
  const said = unitOfKey(key.toLowerCase());
  if (said && key.length > 1) return {unit: said, why: `in ${said} by its name`};
  if (values.some((v) => v.includes('.'))) {
    const unit = secondsOf(values.filter((v) => v.includes('.')));
    return unit ? {unit, why: 'seconds with a fraction'} : {unit: 'unknown', why: 'its unit is not proven'};
  }
  const timed = events.map((e, i): Timed => ({
    t: Number(values[i]),
    cpu: orNone(value(e, 'cpu')),
    tid: orNone(value(e, 'tid')),
    name: e.name,
  }));
  return unitOf(timed) ?? {unit: 'unknown', why: 'its unit is not proven'};
}

function orNone(n: number): number {
  return Number.isNaN(n) ? -1 : n;
}

/** A style that `--prefix` states. */
export function statedStyle(pattern: Pattern): Style {
  return {
    kind: 'text',
    separator: SPACE,
    headings: undefined,
    pattern,
    last: false,
    unit: pattern.unit,
    nsecs: pattern.unit === 'ns',
    fraction: true,
    evidence: [`--prefix '${pattern.text}'`],
  };
}
