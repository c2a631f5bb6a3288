/** Lives that the ledger followed as the typed result of `pinscope history`. */
import {ORDER_MAX} from '../../events/believable.js';
import type {Gap} from '../../capture/gaps.js';
import type {Ledger} from '../../ledger/ledger.js';
import {What} from '../../ledger/tables/entries.js';
import type {FollowedLife, Life} from '../../ledger/tables/life.js';
import type {Generation, LifeEntry, PageHistory} from '../../results/history.js';
import type {Finding} from '../../results/report.js';
import {fileText} from '../../words/file.js';
import {counted} from '../../words/format.js';
import {timesOf} from '../../words/times.js';
import {windowsBegun} from '../windows.js';
import {lifeEntryOf} from './entry.js';
import type {Followed} from './followed.js';
import {inferKinds} from './kinds.js';
import {type Happening, happeningsOf} from './life.js';

/** The lives in ascending order of PFN. `asked`: the pages were named, not taken from findings. */
export function pagesOf(m: Ledger, findings: readonly Finding[], asked: boolean): PageHistory[] {
  const about = new FindingsByPage(findings);
  return [...byPfn(m)]
    .sort(([a], [b]) => a - b)
    .map(([pfn, lives]) => {
      const near = about.near(
        pfn,
        lives.reduce((most, {followed}) => Math.max(most, followed!.order), 0),
      );
      const generations = lives.map((life) => generationOf(m, life, life.followed!, near));
      const ids = [...new Set(generations.flatMap((g) => g.findings))];
      return {
        pfn: `0x${pfn.toString(16)}`,
        why: asked ? '--pfn' : ids.join(', '),
        generations,
      };
    });
}

function byPfn(m: Ledger): Map<number, Life[]> {
  const lives = new Map<number, Life[]>();
  for (const life of m.book.lives.followed) {
    const of = lives.get(life.pfn);
    if (of === undefined) lives.set(life.pfn, [life]);
    else of.push(life);
  }
  return lives;
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

/** Frames asked for that no life covers; of a range nothing of which was seen, its two ends. */
export function absentOf(m: Ledger, followed: Followed): string[] {
  const out: string[] = [];
  const lives = new Set(m.book.lives.followed.map(({pfn}) => pfn));
  // a block is as large as its life was, whatever lives there now
  const blocks = m.book.lives.followed.filter(({followed}) => followed!.order > 0);
  const covered = (pfn: number): boolean => {
    if (blocks.some((life) => pfn >= life.pfn && pfn < life.pfn + 2 ** life.followed!.order)) return true;
    const row = m.pages.findFolio(pfn);
    return lives.has(pfn) || (row >= 0 && lives.has(m.pages.pfn[row]!));
  };
  for (const {first, last} of followed.ranges) {
    if (last - first >= ABSENT_MAX) {
      const any = [...lives].some((pfn) => pfn >= first && pfn <= last);
      if (!any) out.push(`0x${first.toString(16)}-0x${last.toString(16)}`);
      continue;
    }
    for (let pfn = first; pfn <= last; pfn++) if (!covered(pfn)) out.push(`0x${pfn.toString(16)}`);
  }
  return out;
}

/** A range longer than this is absent as a whole or not at all. */
const ABSENT_MAX = 4096;

function generationOf(m: Ledger, life: Life, followed: FollowedLife, findings: readonly Finding[]): Generation {
  const {born, died, order} = followed;
  const happenings = happeningsOf(m, m.book.entries.of(life));
  inferKinds({born, order, happenings}, (stack) => m.evidence.stacks.get(stack));
  const [first] = happenings;
  const start = first?.t ?? followed.end;
  const end = Number.isNaN(followed.end) ? (happenings.at(-1)?.t ?? start) : followed.end;
  const {gaps, last} = m.capture;
  const until = died === null ? last : end;
  const touched = gaps.within(start, until) !== undefined;
  const missing = touched ? gaps.all().filter((gap) => gap.from <= until && gap.to >= start) : [];
  const file = fileOf(m, life);
  return {
    order,
    ...(order > 0 && !followed.orderKnown ? {order_known: false as const} : {}),
    born,
    died,
    ...timesOf(m, start, end),
    ...(file === undefined ? {} : {file}),
    entries: withGaps(m, happenings, missing),
    windows: windowsBegun(m, m.book.lives.begunIn(life)),
    findings: findings.filter((f) => isAbout(m, f, life.pfn, order, start, end)).map((f) => f.id),
  };
}

/** The file that it entered last. */
function fileOf(m: Ledger, life: Life): Generation['file'] {
  const {entries} = m.book;
  let file: Generation['file'];
  for (const id of entries.of(life)) {
    if (entries.what[id] === What.enteredFile && entries.extra[id] !== -1)
      file = fileText({dev: entries.extra[id]! >>> 0, ino: entries.sub[id]!, index: entries.detail[id]!});
  }
  return file;
}

/** Whether a finding names a page of this folio while this generation lived there. */
function isAbout(m: Ledger, f: Finding, pfn: number, order: number, start: number, end: number): boolean {
  const last = pfn + 2 ** order - 1;
  return f.pages.some((p) => {
    const first = Number(p.pfn);
    if (first > last || first + 2 ** p.order - 1 < pfn) return false;
    const at = p.start_ns ?? p.start_ticks ?? p.end_ns ?? p.end_ticks;
    if (at === undefined || at === null) return true;
    const t = m.capture.time.relative(BigInt(at));
    return t >= start && t <= end;
  });
}

/** Where events are missing, between the entries: what was lost between two of them is one line. */
function withGaps(m: Ledger, happenings: readonly Happening[], gaps: readonly Gap[]): LifeEntry[] {
  const out: LifeEntry[] = [];
  const left = [...gaps].sort((a, b) => a.from - b.from);
  let at = 0;
  happenings.forEach((h, i) => {
    const here: Gap[] = [];
    // A gap stands before the first entry that comes after it began.
    while (at < left.length && left[at]!.from < h.t) here.push(left[at++]!);
    if (here.length > 0) out.push(gapOf(m, here, i === 0 ? undefined : happenings[i - 1]));
    out.push(lifeEntryOf(m, h));
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
