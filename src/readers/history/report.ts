/** Recorded lives as the typed result of `pinscope history`. */
import {BEGINS, ENDS} from '../windows.js';
import {decode} from '../../words/counts.js';
import {timesOf} from '../../words/times.js';
import type {Gap} from '../../capture/gaps.js';
import {ORDER_MAX} from '../../events/believable.js';
import type {Ledger} from '../../ledger/ledger.js';
import {counted} from '../../words/format.js';
import type {Generation, LifeEntry, PageHistory, Pairing} from '../../results/history.js';
import type {Finding, Window} from '../../results/report.js';
import type {Followed} from './followed.js';
import {inferKinds} from './kinds.js';
import type {Happening, Life, LifeGeneration, LifeWindow} from './life.js';
import type {Recorder} from './recorder.js';

/** Frames of a taking or dropping that JSON shows. */
const FRAMES_MAX = 32;

/** The lives in ascending order of PFN. `asked`: the pages were named, not taken from findings. */
export function pagesOf(m: Ledger, recorder: Recorder, findings: readonly Finding[], asked: boolean): PageHistory[] {
  const about = new FindingsByPage(findings);
  return [...recorder.lives.values()]
    .filter((life) => life.generations.length > 0)
    .sort((a, b) => a.pfn - b.pfn)
    .map((life) => {
      const near = about.near(
        life.pfn,
        life.generations.reduce((most, g) => Math.max(most, g.order), 0),
      );
      const generations = life.generations.map((g) => generationOf(m, recorder, life, g, near));
      const ids = [...new Set(generations.flatMap((g) => g.findings))];
      return {
        pfn: `0x${life.pfn.toString(16)}`,
        why: asked ? '--pfn' : ids.join(', '),
        generations,
      };
    });
}

/** Findings by the pages they name: a run may have ten thousand lives, and findings on a million pages. */
class FindingsByPage {
  private readonly byPfn = new Map<number, Finding[]>();

  constructor(private readonly findings: readonly Finding[]) {
    for (const finding of findings) {
      for (const {pfn} of finding.pages) {
        const list = this.byPfn.get(Number(pfn));
        if (!list) this.byPfn.set(Number(pfn), [finding]);
        else if (list.at(-1) !== finding) list.push(finding);
      }
    }
  }

  /** Those that may be about a folio, in their order: they name one of its pages, or a folio that it is part of. */
  near(pfn: number, order: number): Finding[] {
    const size = 2 ** order;
    const found = new Set<Finding>();
    const take = (at: number): void => this.byPfn.get(at)?.forEach((finding) => found.add(finding));
    if (size > this.byPfn.size) for (const at of this.byPfn.keys()) if (at >= pfn && at < pfn + size) take(at);
    if (size <= this.byPfn.size) for (let i = 0; i < size; i++) take(pfn + i);
    for (let larger = 1; larger <= ORDER_MAX; larger++) take(Math.floor(pfn / 2 ** larger) * 2 ** larger);
    if (found.size < 2) return [...found];
    return this.findings.filter((finding) => found.has(finding));
  }
}

/** Frames asked for that no recorded life covers; of a range nothing of which was seen, its two ends. */
export function absentOf(m: Ledger, recorder: Recorder, followed: Followed): string[] {
  const out: string[] = [];
  // blocks whose order their free alone has told
  const freedAlone = [...recorder.lives.values()].flatMap(({pfn, generations}) => {
    const order = generations[0]?.order ?? 0;
    return order > 0 ? [{first: pfn, last: pfn + 2 ** order - 1}] : [];
  });
  const covered = (pfn: number): boolean => {
    const row = m.pages.findFolio(pfn);
    if (freedAlone.some(({first, last}) => pfn >= first && pfn <= last)) return true;
    return recorder.lives.has(pfn) || (row >= 0 && recorder.lives.has(m.pages.pfn[row]!));
  };
  for (const {first, last} of followed.ranges) {
    if (last - first >= ABSENT_MAX) {
      const any = [...recorder.lives.keys()].some((pfn) => pfn >= first && pfn <= last);
      if (!any) out.push(`0x${first.toString(16)}-0x${last.toString(16)}`);
      continue;
    }
    for (let pfn = first; pfn <= last; pfn++) if (!covered(pfn)) out.push(`0x${pfn.toString(16)}`);
  }
  return out;
}

/** A range longer than this is absent as a whole or not at all. */
const ABSENT_MAX = 4096;

function generationOf(
  m: Ledger,
  recorder: Recorder,
  life: Life,
  g: LifeGeneration,
  findings: readonly Finding[],
): Generation {
  const frames = (stack: number): readonly string[] => recorder.stacks.get(stack);
  inferKinds(g, frames);
  const windows = g.windows.filter(({of, from}) => {
    if (!('inCall' in of) || !of.inCall) return true;
    from.notes.push('inside the dma_map_*() call whose event follows');
    return false;
  });
  const [first] = g.happenings;
  const start = first?.t ?? g.end;
  const end = Number.isNaN(g.end) ? (g.happenings.at(-1)?.t ?? start) : g.end;
  const until = g.died === null ? m.capture.last : end;
  const touched = m.capture.gaps.within(start, until) !== undefined;
  const gaps = touched ? m.capture.gaps.all().filter((gap) => gap.from <= until && gap.to >= start) : [];
  return {
    order: g.order,
    ...(g.order > 0 && !g.orderKnown ? {order_known: false as const} : {}),
    born: g.born,
    died: g.died,
    ...timesOf(m, start, end),
    ...(g.file
      ? {
          file: {
            dev: `${Math.floor(g.file.dev / 2 ** 20)}:${g.file.dev % 2 ** 20}`,
            ino: String(g.file.ino),
            index: String(g.file.index),
          },
        }
      : {}),
    entries: withGaps(m, g.happenings, gaps, (h) => entryOf(m, h, frames)),
    windows: windows.map((window) => windowOf(m, window)).sort((a, b) => (a.start_line ?? 0) - (b.start_line ?? 0)),
    findings: findings.filter((f) => isAbout(m, f, life.pfn, g, start, end)).map((f) => f.id),
  };
}

/** Whether a finding names a page of this folio while this generation lived there. */
function isAbout(m: Ledger, f: Finding, pfn: number, g: LifeGeneration, start: number, end: number): boolean {
  const last = pfn + 2 ** g.order - 1;
  return f.pages.some((p) => {
    const first = Number(p.pfn);
    if (first > last || first + 2 ** p.order - 1 < pfn) return false;
    const at = p.start_ns ?? p.start_ticks ?? p.end_ns ?? p.end_ticks;
    if (at === undefined || at === null) return true;
    const t = m.capture.time.relative(BigInt(at));
    return t >= start && t <= end;
  });
}

/** Notes point to lines; of a recording they are records. */
function placed(note: string, noun: string): string {
  return noun === 'line' ? note : note.replace(/\bline (?=\d)/g, `${noun} `);
}

function entryOf(m: Ledger, h: Happening, frames: (stack: number) => readonly string[]): LifeEntry {
  const task = m.evidence.tasks.get(h.task);
  const ticks = m.capture.time.unit === 'ticks';
  const t = Number.isFinite(h.t) ? String(m.capture.time.absolute(h.t)) : null;
  const changes = h.what === 'taken' || h.what === 'dropped';
  const isPinOrGet = h.kind === 'pin' || h.kind === 'get';
  const raw = Number.isNaN(h.raw) ? null : h.raw;
  return {
    t_ns: ticks ? null : t,
    ...(ticks && t !== null ? {t_ticks: t} : {}),
    cpu: h.cpu >= 0 ? h.cpu : null,
    task: h.task >= 0 ? task.comm : null,
    pid: h.task >= 0 && task.pid >= 0 ? task.pid : null,
    line: h.line,
    input: h.input,
    what: h.what,
    kind: h.kind,
    delta: Number.isNaN(h.delta) ? null : h.delta,
    known_by: h.knownBy,
    note: h.notes.length === 0 ? null : placed(h.notes.join('; '), m.capture.noun(h.input)),
    counts: raw === null && !changes ? null : decode({raw, pins: h.pins}, h.large),
    ...(isPinOrGet && h.stack >= 0 ? {frames: frames(h.stack).slice(0, FRAMES_MAX)} : {}),
    pair: h.pair === null ? null : pairingOf(m, h, h.pair),
  };
}

function pairingOf(m: Ledger, h: Happening, pair: NonNullable<Happening['pair']>): Pairing {
  const other = pair.with;
  const far = Math.abs(h.t - other.t);
  return {
    input: other.input,
    line: other.line,
    distance_ns: m.capture.time.unit === 'ticks' || !Number.isFinite(far) ? null : String(far),
    how: pair.how,
  };
}

function windowOf(m: Ledger, {kind, label, from, to}: LifeWindow): Window {
  return {
    kind,
    label,
    ...timesOf(m, from.t, to === null ? NaN : to.t),
    input: from.input,
    start_line: from.line,
    end_line: to?.line ?? null,
    start_known: BEGINS[kind],
    end_known: to === null ? 'unknown' : ENDS[kind],
  };
}

/** Where events are missing, between the entries: what was lost between two of them is one line. */
function withGaps(
  m: Ledger,
  happenings: readonly Happening[],
  gaps: readonly Gap[],
  entry: (h: Happening) => LifeEntry,
): LifeEntry[] {
  const out: LifeEntry[] = [];
  const left = [...gaps].sort((a, b) => a.from - b.from);
  let at = 0;
  happenings.forEach((h, i) => {
    const here: Gap[] = [];
    // A gap stands before the first entry that comes after it began.
    while (at < left.length && left[at]!.from < h.t) here.push(left[at++]!);
    if (here.length > 0) out.push(gapOf(m, here, i === 0 ? undefined : happenings[i - 1]));
    out.push(entry(h));
  });
  if (at < left.length) out.push(gapOf(m, left.slice(at), happenings.at(-1)));
  return out;
}

function gapOf(m: Ledger, gaps: readonly Gap[], before: Happening | undefined): LifeEntry {
  const [first] = gaps;
  const ticks = m.capture.time.unit === 'ticks';
  const from = Number.isFinite(first!.from) ? String(m.capture.time.absolute(first!.from)) : null;
  const more = gaps.length > 1 ? `, and ${counted(gaps.length - 1, 'more gap')} before anything else of this page` : '';
  return {
    t_ns: ticks ? null : from,
    ...(ticks && from !== null ? {t_ticks: from} : {}),
    cpu: first!.cpu >= 0 ? first!.cpu : null,
    task: null,
    pid: null,
    line: first!.line,
    input: before?.input ?? 0,
    what: 'gap',
    kind: null,
    delta: null,
    known_by: null,
    note: `${first!.why}${more}`,
    counts: null,
    pair: null,
  };
}
