/**
 * The picture of one page about the moment of a finding: lanes by kind (pins, gets, DMA by device, writeback, other changes), the
 * deciding events numbered across them, and the time between the two that make the finding. Points are offsets from `base`, small
 * enough to be exact in the page's numbers: ns, or trace lines where the clock only counts.
 */
import {nounOf} from '../../words/place.js';
import {printable} from '../../words/clean.js';
import {change} from '../finding-history.js';
import {between, duration, span, task} from '../../words/format.js';
import {decidingEvidence, deed, endText, mark} from '../../words/words.js';
import type {Evidence, Finding, FindingPage, HistoryEntry, Report, Window} from '../../results/report.js';

export interface Picture {
  axis: 'time' | 'line';
  /** what offset 0 is: ns of the trace's clock, or a line number */
  base: string;
  from: number;
  to: number;
  lanes: Lane[];
  marks: Mark[];
  /** between the two events that make the finding, in words */
  between: {from: number; to: number; text: string} | null;
  /** all of it in one sentence, for who does not see it */
  says: string;
}

export interface Lane {
  kind: Window['kind'] | 'other';
  name: string;
  spans: {label: string; from: number | null; to: number | null; decides: boolean; text: string}[];
  ticks: {at: number; what: string; text: string}[];
}

/** A deciding event, or several of one role in a row. */
export interface Mark {
  at: number;
  words: string;
  /** what happened here, at the event that makes the finding */
  deciding: string | null;
  lines: number[];
}

type Line = Pick<Evidence, 'role' | 'input' | 'line' | 't_ns'>;

/** What is drawn: the windows, deciding lines and moment of one page of a finding. */
interface Subject {
  windows: readonly Window[];
  lines: readonly Line[];
  moment: string | null;
  history: readonly HistoryEntry[];
}

/** What is drawn before the first and after the last end, as a share. */
const MARGIN = 0.06;
/** Most events that are numbered. */
const MARKS = 12;

/**
 * Null where this page's own windows and lines are not kept, or nothing in them has a place. `model`: the picture of the finding's
 * first page, whose distance is known: on the others it lies between the same two events.
 */
export function pictureOf(report: Report, finding: Finding, page: FindingPage, model: Picture | null): Picture | null {
  const first = page === finding.pages[0];
  const subject: Subject = {
    windows: page.windows ?? (first ? finding.windows : []),
    lines: page.lines ?? (first ? finding.evidence : []),
    moment: (page.at_ns === undefined && first ? finding.at_ns : page.at_ns) ?? null,
    history: first ? finding.history : [],
  };
  const {windows, lines} = subject;
  const timed = windows.some((one) => one.start_ns !== null) || lines.some((line) => line.t_ns !== undefined);
  const axis = timed ? 'time' : 'line';
  const points = pointsOf(subject, axis);
  const [start] = points;
  if (start === undefined) return null;
  const base = points.reduce((least, point) => (point < least ? point : least), start);
  const last = points.reduce((most, point) => (point > most ? point : most), start);
  const offset = (ns: string | null | undefined, line: number | null): number | null => {
    const point = axis === 'time' ? ns : line;
    return point === null || point === undefined ? null : Number(BigInt(point) - base);
  };
  const to = Number(last - base);
  const marks = marksOf(finding, subject, offset, to);
  const lanes = lanesOf(report, subject, offset, to);
  const gap = first ? betweenOf(finding, lanes, marks) : betweenAs(model, lanes, marks);
  return {
    axis,
    base: base.toString(),
    from: 0,
    to,
    lanes,
    marks,
    between: gap,
    says: [
      ...lanes.flatMap((lane) => lane.spans.map((one) => `${lane.name}: ${one.text}`)),
      ...marks.map(({deciding, words}) => deciding ?? words),
    ].join('; '),
  };
}

/** The ends of the windows and the moment; where these are no more than one point, the events too. */
function pointsOf({windows, lines, moment}: Subject, axis: Picture['axis']): bigint[] {
  const points: bigint[] = [];
  for (const window of windows) {
    const ends = axis === 'time' ? [window.start_ns, window.end_ns] : [window.start_line, window.end_line];
    for (const end of ends) if (end !== null) points.push(BigInt(end));
  }
  // a deed done again later would squeeze the first time, which is drawn, into a few pixels
  if (axis === 'time' && moment !== null) points.push(BigInt(moment));
  for (const item of new Set(points).size > 1 ? [] : lines) {
    if (axis === 'line') points.push(BigInt(item.line));
    else if (item.t_ns !== undefined) points.push(BigInt(item.t_ns));
  }
  return points;
}

type Offset = (ns: string | null | undefined, line: number | null) => number | null;

function marksOf(finding: Finding, {lines, moment}: Subject, offset: Offset, to: number): Mark[] {
  const deciding = lines[decidingEvidence({...finding, evidence: lines as Evidence[], at_ns: moment})];
  const marks: (Mark & {role: string})[] = [];
  for (const item of lines) {
    const at = offset(item.t_ns, item.line);
    if (at === null || at < 0 || at > to) continue;
    const decides = item === deciding;
    const last = marks.at(-1);
    if (last?.role === item.role) {
      last.lines.push(item.line);
      if (decides) Object.assign(last, {at, deciding: mark(finding.rule, item.role)});
    } else
      marks.push({
        at,
        role: item.role,
        words: printable(deed(item.role)),
        deciding: decides ? mark(finding.rule, item.role) : null,
        lines: [item.line],
      });
  }
  return marks.slice(0, MARKS).map(({role: _role, ...rest}) => rest);
}

function lanesOf(report: Report, subject: Subject, offset: Offset, to: number): Lane[] {
  const lanes = new Map<string, Lane>();
  const lane = (kind: Lane['kind'], device: string | null): Lane => {
    const name = kind === 'dma' ? `DMA ${device ?? 'of a device'}` : LANE_NAMES[kind];
    const known = lanes.get(name);
    if (known !== undefined) return known;
    const made: Lane = {kind, name: printable(name), spans: [], ticks: []};
    lanes.set(name, made);
    return made;
  };
  const told = new Set<string>();
  for (const window of subject.windows) {
    for (const line of [window.start_line, window.end_line]) if (line !== null) told.add(`${window.input}.${line}`);
    const {device, rest} = window.kind === 'dma' ? deviceOf(window.label) : {device: null, rest: window.label};
    lane(window.kind, device).spans.push({
      label: printable(labelOf(window, rest)),
      from: offset(window.start_ns, window.start_line),
      to: offset(window.end_ns, window.end_line),
      decides: window.decides === true,
      text: printable(windowText(report, window)),
    });
  }
  for (const entry of subject.history) {
    const at = offset(entry.t_ns, entry.line);
    if (at === null || at < -MARGIN * to || at > (1 + MARGIN) * to || told.has(`${entry.input}.${entry.line}`))
      continue;
    const who = entry.task === null ? '' : `, ${task(entry.task, entry.pid)}`;
    const text = `${change(entry)}${who}, ${nounOf(report.inputs[entry.input])} ${entry.line}`;
    lane(...placeOf(entry)).ticks.push({at, what: printable(change(entry)), text: printable(text)});
  }
  return [...lanes.values()].toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

const LANE_NAMES = {pin: 'pins', get: 'gets', dma: 'DMA', writeback: 'writeback', other: 'other changes'} as const;
const ORDER: Lane['kind'][] = ['pin', 'get', 'dma', 'writeback', 'other'];

/** `pinbug.0 BIDIRECTIONAL` is a device and a direction. */
function deviceOf(label: string): {device: string; rest: string} {
  const blank = label.lastIndexOf(' ');
  return blank < 0 ? {device: label, rest: ''} : {device: label.slice(0, blank), rest: label.slice(blank + 1)};
}

/** In which lane a change of the page's history belongs. */
function placeOf({what, kind, note}: HistoryEntry): [Lane['kind'], string | null] {
  if ((what === 'taken' || what === 'dropped') && (kind === 'pin' || kind === 'get')) return [kind, null];
  if (what === 'dma-map' && note !== null) return ['dma', deviceOf(note.split(',')[0] ?? note).device];
  if (what === 'writeback-start' || what === 'writeback-end') return ['writeback', null];
  return ['other', null];
}

function labelOf(window: Window, rest: string): string {
  const length = between(window.start_ns, window.end_ns);
  const label = rest.replace(/^(?:pin|get|writeback) by /, '');
  return length === null ? label : `${label}, ${length}`;
}

/** `pinbug.0 BIDIRECTIONAL: 17.232232 to 17.238705 (6.47 ms), lines 3635 to 3648` */
function windowText(report: Report, window: Window): string {
  const noun = nounOf(report.inputs[window.input]);
  const start = window.start_line ?? '?';
  const places = window.end_line === null ? `${noun} ${start}` : `${noun}s ${start} to ${window.end_line}`;
  const times = window.start_ns === null ? '' : ` ${span(window)},`;
  const open = window.end_ns === null && window.end_line === null ? `, ${endText(window.end_known)}` : '';
  return `${window.label}:${times} ${places}${open}`;
}

/** Where the finding's distance lies: from its moment to the event that came too late, or from the one before. */
function betweenOf({distance_ns}: Finding, lanes: readonly Lane[], marks: readonly Mark[]): Picture['between'] {
  const moment = marks.find(({deciding}) => deciding !== null);
  if (moment === undefined || distance_ns === null || distance_ns === '0') return null;
  const known = new Set(endsOf(lanes, marks));
  const far = Number(distance_ns);
  const text = duration(distance_ns);
  if (known.has(moment.at + far)) return {from: moment.at, to: moment.at + far, text};
  return known.has(moment.at - far) ? {from: moment.at - far, to: moment.at, text} : null;
}

/** Between the events of this page that stand where those of `model` stand, where the two have the same windows and events. */
function betweenAs(model: Picture | null, lanes: readonly Lane[], marks: readonly Mark[]): Picture['between'] {
  const moment = marks.find(({deciding}) => deciding !== null);
  const old = model?.marks.find(({deciding}) => deciding !== null);
  if (model === null || model.between === null || moment === undefined || old === undefined) return null;
  const theirs = endsOf(model.lanes, model.marks);
  const ours = endsOf(lanes, marks);
  const far = model.between.from === old.at ? model.between.to : model.between.from;
  const end = ours[theirs.indexOf(far)];
  if (ours.length !== theirs.length || end === undefined || end === null || end === moment.at) return null;
  const [from, to] = end < moment.at ? [end, moment.at] : [moment.at, end];
  return {from, to, text: duration(to - from)};
}

/** Ends of the deciding windows, then the events. */
function endsOf(lanes: readonly Lane[], marks: readonly Mark[]): (number | null)[] {
  const spans = lanes.flatMap((lane) => lane.spans.filter(({decides}) => decides));
  return [...spans.flatMap(({from, to}) => [from, to]), ...marks.map(({at}) => at)];
}
