/** Lives cut to what was asked for: the changes around a finding's deciding lines, or those within a span of time. */
import {globMatches} from '../../base/glob.js';
import {counted} from '../../words/format.js';
import type {Generation, LifeEntry, PageHistory} from '../../results/history.js';
import type {Finding, FindingPage, Window} from '../../results/report.js';

/** A span as asked for: each end in both units, for a trace's clock may count ticks; null where it is open. */
interface Span {
  from: {ns: bigint; ticks: bigint | null} | null;
  to: {ns: bigint; ticks: bigint | null} | null;
}

/** Changes shown before and after each that decides. */
const AROUND = 10;

/**
 * Only the changes around the deciding lines of a finding, and these marked. Of a page that none of the lines names (of many
 * pages the report has a few lines each) the beginning and the end of the finding are marked instead.
 */
export function narrowAround(pages: readonly PageHistory[], finding: Finding): PageHistory[] {
  const roles = new Map(finding.evidence.map((line) => [`${line.input}:${line.line}`, line.role]));
  return narrowed(pages, (generation, page) => {
    if (!generation.findings.includes(finding.id)) return [];
    const {entries} = generation;
    const marks = entries.flatMap((entry, at) => {
      const role = entry.what === 'gap' ? undefined : roles.get(`${entry.input}:${entry.line}`);
      return role === undefined ? [] : [{at, role}];
    });
    const found = marks.length > 0 ? marks : endsOf(entries, finding, page);
    for (const {at, role} of found) entries[at]!.decides = `${finding.id}: ${role}`;
    const keep = entries.map(() => false);
    for (const {at} of found) keep.fill(true, Math.max(0, at - AROUND), at + AROUND + 1);
    return keep;
  });
}

/** The pages, with the changes marked that decide findings about them. */
export function marked(pages: readonly PageHistory[], findings: readonly Finding[]): PageHistory[] {
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  for (const {generations} of pages)
    for (const {findings: ids, entries} of generations) {
      const roles = new Map<string, string>();
      for (const id of ids)
        for (const {input, line, role} of byId.get(id)?.evidence ?? []) {
          const place = `${input}:${line}`;
          const before = roles.get(place);
          roles.set(place, `${before === undefined ? '' : `${before}; `}${id}: ${role}`);
        }
      for (const entry of entries) {
        const decides = entry.what === 'gap' ? undefined : roles.get(`${entry.input}:${entry.line}`);
        if (decides !== undefined) entry.decides = decides;
      }
    }
  return [...pages];
}

/** What changes are asked for; each that is left out restricts nothing. Deciding lines of --around stay. */
export interface Wanted {
  time?: Span | undefined;
  /** by whom and where it was done */
  pid: readonly NumberRange[];
  cpu: readonly NumberRange[];
  comm: readonly string[];
  /** mapped by one of these devices: every other change is left out */
  device: readonly string[];
}

interface NumberRange {
  first: number;
  last: number;
}

/** Only the changes that are wanted, the others counted where they stood; what is not known of a change is not what was asked for. */
export function narrowTo(pages: readonly PageHistory[], wanted: Wanted, around: boolean): PageHistory[] {
  const {time, pid, cpu, comm, device} = wanted;
  return narrowed(pages, ({entries, windows}) => {
    const lines = device.length === 0 ? null : linesOf(windows, device);
    return entries.map(
      (entry) =>
        (around && entry.decides !== undefined) ||
        ((time === undefined || inSpan(entry, time)) &&
          (pid.length === 0 || within(pid, entry.pid)) &&
          (cpu.length === 0 || within(cpu, entry.cpu)) &&
          (comm.length === 0 || comm.some((pattern) => entry.task !== null && globMatches(pattern, entry.task))) &&
          (lines === null || lines.has(`${entry.input}:${entry.line}`))),
    );
  });
}

/** Where the mappings of these devices begin and end. */
function linesOf(windows: readonly Window[], device: readonly string[]): Set<string> {
  const of = windows.filter(
    ({kind, label}) => kind === 'dma' && device.some((pattern) => globMatches(pattern, label.replace(/ [^ ]*$/, ''))),
  );
  return new Set(of.flatMap(({input, start_line, end_line}) => [`${input}:${start_line}`, `${input}:${end_line}`]));
}

function within(ranges: readonly NumberRange[], value: number | null): boolean {
  return value !== null && ranges.some(({first, last}) => value >= first && value <= last);
}

function inSpan(entry: LifeEntry, span: Span): boolean {
  const at = momentOf(entry);
  if (at === null) return false;
  const unit = entry.t_ticks === undefined ? 'ns' : 'ticks';
  const from = span.from?.[unit] ?? null;
  const to = span.to?.[unit] ?? null;
  return (from === null || at >= from) && (to === null || at <= to);
}

/** Kinds of changes that --only names. */
export type ChangeKind = 'pins' | 'gets' | 'dma' | 'writeback' | 'dirty' | 'life' | 'counts';

function kindOf({what, kind}: LifeEntry): ChangeKind {
  if (kind === 'pin') return 'pins';
  if (kind === 'get') return 'gets';
  if (what === 'dma-map' || what === 'dma-unmap' || what === 'dma-complete') return 'dma';
  if (what === 'writeback-start' || what === 'writeback-end') return 'writeback';
  if (what === 'dirty' || what === 'clean') return 'dirty';
  return what === 'alloc' || what === 'free' || what === 'cache-add' || what === 'cache-delete' ? 'life' : 'counts';
}

/**
 * Only changes of these kinds, with the windows of the same kinds. The others are counted for each generation, not where they stood:
 * there are some between any two. Gaps, and what decides a finding, stay.
 */
export function narrowToKinds(pages: readonly PageHistory[], only: readonly ChangeKind[]): PageHistory[] {
  const windowKinds: Record<Window['kind'], ChangeKind> = {
    pin: 'pins',
    get: 'gets',
    dma: 'dma',
    writeback: 'writeback',
  };
  return pages.map((page) => ({
    ...page,
    generations: page.generations.map((generation) => {
      const entries = generation.entries.filter(
        (entry) =>
          entry.what === 'gap' ||
          entry.what === 'left-out' ||
          entry.decides !== undefined ||
          only.includes(kindOf(entry)),
      );
      const out = generation.entries.length - entries.length;
      return {
        ...generation,
        entries,
        windows: generation.windows.filter(({kind}) => only.includes(windowKinds[kind])),
        ...(out > 0 ? {changes_left_out: out} : {}),
      };
    }),
  }));
}

/** The first change at or after the beginning of the finding on a page, and the last at or before its end. */
function endsOf(entries: readonly LifeEntry[], finding: Finding, page: PageHistory): {at: number; role: string}[] {
  const about = finding.pages.find((one) => covers(one, page)) ?? finding.pages[0];
  const start = bigint(about?.start_ns ?? about?.start_ticks ?? finding.start_ns ?? finding.start_ticks);
  const end = bigint(about?.end_ns ?? about?.end_ticks ?? finding.end_ns ?? finding.end_ticks);
  const inside = entries.flatMap((entry, at) => {
    const moment = momentOf(entry);
    if (moment === null || entry.what === 'gap') return [];
    return (start === null || moment >= start) && (end === null || moment <= end) ? [at] : [];
  });
  const first = inside[0];
  const last = inside.at(-1);
  if (first === undefined || last === undefined) return [];
  return first === last
    ? [{at: first, role: 'it is here'}]
    : [
        {at: first, role: 'begins'},
        {at: last, role: 'ends'},
      ];
}

function covers(one: FindingPage, page: PageHistory): boolean {
  const pfn = Number(page.pfn);
  return pfn >= Number(one.pfn) && pfn < Number(one.pfn) + 2 ** one.order;
}

/** Pages with the changes that `keep` says of each generation; without generations and pages of which nothing is left. */
function narrowed(
  pages: readonly PageHistory[],
  keep: (generation: Generation, page: PageHistory) => boolean[],
): PageHistory[] {
  return pages.flatMap((page) => {
    const of = page.generations.length;
    const generations = page.generations.flatMap((generation, at) => {
      const kept = keep(generation, page);
      if (!kept.includes(true)) return [];
      return [{...cutTo(generation, kept), ...(of > 1 ? {place: {number: at + 1, of}} : {})}];
    });
    if (generations.length === 0) return [];
    const out = of - generations.length;
    return [{...page, generations, ...(out > 0 ? {generations_left_out: out} : {})}];
  });
}

function cutTo(generation: Generation, keep: readonly boolean[]): Generation {
  const entries: LifeEntry[] = [];
  const all = generation.entries;
  let at = 0;
  while (at < all.length) {
    let end = at + 1;
    while (end < all.length && keep[end] === keep[at]) end++;
    if (keep[at] === true) for (let i = at; i < end; i++) entries.push(all[i]!);
    else entries.push(leftOut(all.slice(at, end), at === 0 ? 'before' : end === all.length ? 'after' : 'between'));
    at = end;
  }
  const shown = all.filter((_, i) => keep[i] === true);
  const windows = generation.windows.filter((window) => touches(window, shown[0]!, shown.at(-1)!));
  const out = generation.windows.length - windows.length;
  return {...generation, entries, windows, ...(out > 0 ? {windows_left_out: out} : {})};
}

/** `12 more changes before, 1 gap among them`; it stands where the first of them stood. */
function leftOut(entries: readonly LifeEntry[], where: 'before' | 'between' | 'after'): LifeEntry {
  const [first] = entries;
  const {t_ns, t_ticks, line, input} = first!;
  const gaps = entries.filter((entry) => entry.what === 'gap').length;
  const changes = entries.length - gaps;
  const more =
    changes === 0
      ? `${counted(gaps, 'gap')} where events are missing, ${where}`
      : `${changes === 1 ? '1 more change' : counted(changes, 'more change')} ${where}${gaps > 0 ? `, ${counted(gaps, 'gap')} among them` : ''}`;
  return {
    t_ns,
    ...(t_ticks === undefined ? {} : {t_ticks}),
    cpu: null,
    task: null,
    pid: null,
    line,
    input,
    what: 'left-out',
    kind: null,
    delta: null,
    known_by: null,
    note: more,
    counts: null,
    pair: null,
  };
}

/** Whether a window was open anywhere between two changes; by lines where times are not known. */
function touches(window: Window, first: LifeEntry, last: LifeEntry): boolean {
  const from = momentOf(first);
  const to = momentOf(last);
  const start = bigint(window.start_ns ?? window.start_ticks);
  const end = bigint(window.end_ns ?? window.end_ticks);
  if (from === null || to === null) {
    return (window.start_line ?? 0) <= last.line && (window.end_line === null || window.end_line >= first.line);
  }
  return (start === null || start <= to) && (end === null || end >= from);
}

function momentOf(entry: LifeEntry): bigint | null {
  return bigint(entry.t_ticks ?? entry.t_ns);
}

function bigint(text: string | null | undefined): bigint | null {
  return text === null || text === undefined ? null : BigInt(text);
}
