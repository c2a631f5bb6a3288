/**
 * From violations (one rule, one page) to findings (one deed, many pages).
 *
 * One deed is one finding: the same rule with the same verdict, tasks and device, within a moment, or, where call stacks
 * were traced, from the same taking and dropping stacks at any time. Findings on one page at one time name each other.
 */
import type {Ledger} from '../ledger/ledger.js';
import {madeWhenRead} from '../base/made-when-read.js';
import type {Claim} from '../claims/claim.js';
import {inInterrupt} from '../events/event.js';
import type {Proof} from '../proof/prove.js';
import type {Cause, Evidence, Finding, FindingPage, Severity, Verdict} from '../results/report.js';
import {fileText} from '../words/file.js';
import {task} from '../words/format.js';
import {messageOf} from '../words/messages.js';
import {causesOf} from './causes.js';
import {decode} from '../words/counts.js';
import {excerptOf} from '../readers/history/excerpt.js';
import {keyOf} from './keys.js';
import {windowsOf} from '../readers/windows.js';
import {momentOf, type PageTime, pageTimes, timesOf} from '../words/times.js';

/** Without stacks, violations of one deed lie this close together. */
const DEED_NS = 5_000_000;
/** Most findings kept; more are counted. */
const FINDINGS_MAX = 20_000;
/** Most pages of one finding that are kept one by one. */
const PAGES_MAX = 100_000;
/** Most pages of all findings together. */
const LISTED_MAX = 1_000_000;
/** What a page of a finding costs, in looks at a page. */
const PAGE_LOOKS = 32;
/** Most evidence lines of one finding: those of the first page are always there. */
const EVIDENCE_MAX = 40;
/** Most pages of one finding that keep windows and lines of their own, and of all findings together. */
const OWN_MAX = 32;
const OWN_ALL_MAX = 50_000;

interface Page extends PageTime {
  pfn: number;
  order: number;
  row: number;
  generation: number;
  occurrences: number;
  /** what is claimed of this page; null where too many are kept */
  own: Pick<Claim, 'premises' | 'evidence' | 'at'> | null;
}

/** A claim that holds, and how it was proven. */
interface Proven {
  claim: Claim;
  proof: Proof;
}

/** A finding in the making. */
interface Group {
  proof: Proof;
  first: Claim;
  pages: Map<string, Page>;
  occurrences: number;
  evidence: Claim['evidence'];
  start: number;
  end: number;
  lastAt: number;
}

interface Kept {
  group: Group;
  finding: Finding;
}

const SEVERITY_ORDER: Record<Severity, number> = {error: 0, warning: 1, note: 2};
const VERDICT_ORDER: Record<Verdict, number> = {sure: 0, possible: 1};

export class Findings {
  /** violations in groups that could not be kept */
  dropped = 0;
  /** pages in the findings kept */
  private listed = 0;
  /** of which with a claim of their own */
  private owned = 0;
  private readonly groups: Group[] = [];
  private readonly open = new Map<string, Group>();
  /** taken by takeSettled() the last time */
  private taken: readonly Group[] = [];

  constructor(private readonly m: Ledger) {}

  /** Takes a claim that holds, with its proof. */
  add(claim: Claim, proof: Proof): void {
    this.group({claim, proof});
  }

  private group(proven: Proven): void {
    const v = proven.claim;
    const key = this.keyOf(proven);
    let group = this.open.get(key);
    const stacked = v.stacks.some((s) => s.stack >= 0);
    if (group && !stacked && Math.abs(v.at - group.lastAt) > DEED_NS && v.at !== -Infinity) group = undefined;
    if (!group) {
      if (this.groups.length >= FINDINGS_MAX) {
        this.dropped++;
        this.release(v);
        return;
      }
      group = {
        first: v,
        proof: proven.proof,
        pages: new Map(),
        occurrences: 0,
        evidence: [],
        start: v.start,
        end: v.end,
        lastAt: v.at,
      };
      this.groups.push(group);
      this.open.set(key, group);
    } else this.release(v);
    this.merge(group, v);
  }

  /** Only what happened to the first page of a finding is shown. */
  private release({excerpt}: Claim): void {
    if (excerpt) this.m.book.entries.release(excerpt);
  }

  private keyOf({claim: v, proof}: Proven): string {
    const stacks = v.stacks.map((s) => s.stack).join(',');
    return `${v.rule}|${v.severity}|${proof.verdict}|${generalReason(proof.reason)}|${v.deed}|${stacks}`;
  }

  private merge(group: Group, v: Claim): void {
    group.occurrences++;
    group.lastAt = v.at;
    if (v.start < group.start) group.start = v.start;
    if (!(v.end <= group.end)) group.end = v.end; // NaN, an open end, wins
    this.addPages(group, v);
    if (group.evidence.length < EVIDENCE_MAX) {
      for (const e of v.evidence) if (!group.evidence.some((g) => same(g, e))) group.evidence.push(e);
    }
  }

  private addPages(group: Group, v: Claim): void {
    const span = v.span ?? 1;
    const {limits} = this.m.capture;
    for (let i = 0; i < span; i++) {
      // A leaked reference to a million sub-pages is one line, and so may be the next.
      if (i > 0 && (group.pages.size >= PAGES_MAX || this.listed >= LISTED_MAX || limits.tired())) {
        limits.hit('finding-pages', span - i);
        return;
      }
      if (i > 0) limits.looks += PAGE_LOOKS;
      this.addPage(group, v, v.pfn + i);
    }
  }

  private addPage(group: Group, v: Claim, pfn: number): void {
    const {order, start, end} = v;
    const {row, generation} = v.page;
    const key = `${pfn}.${order}`;
    const page = group.pages.get(key);
    if (page) {
      page.occurrences++;
      if (start < page.start) page.start = start;
      if (!(end <= page.end)) page.end = end;
    } else if (group.pages.size < PAGES_MAX && this.listed < LISTED_MAX) {
      this.listed++;
      const keep = group.pages.size < OWN_MAX && this.owned < OWN_ALL_MAX;
      if (keep) this.owned++;
      const {premises, evidence, at} = v;
      const own = keep ? {premises, evidence, at} : null;
      group.pages.set(key, {pfn, order, row, generation, start, end, occurrences: 1, own});
    } else this.m.capture.limits.hit('finding-pages');
  }

  /**
   * The findings that `keep` lets through, in order of importance, numbered, naming their kin, and their causes. `whole`: asked
   * of each before, whether it is a finding at all.
   */
  build(
    whole: (finding: Finding) => boolean,
    keep: (finding: Finding) => boolean,
  ): {findings: Finding[]; causes: Cause[]; found: number} {
    const groups = this.groups.sort(
      (a, b) =>
        SEVERITY_ORDER[a.first.severity] - SEVERITY_ORDER[b.first.severity] ||
        VERDICT_ORDER[a.proof.verdict] - VERDICT_ORDER[b.proof.verdict] ||
        a.start - b.start,
    );
    const kept: Kept[] = [];
    let found = 0;
    for (const group of groups) {
      const finding = this.finding(group);
      if (!whole(finding)) continue;
      found++;
      if (keep(finding)) kept.push({group, finding});
    }
    kept.forEach(({finding}, i) => (finding.id = `F${i + 1}`));
    relate(kept);
    const findings = kept.map((k) => k.finding);
    return {findings, causes: causesOf(findings), found};
  }

  /**
   * Takes out the findings that are complete at `now`: nothing more can join them (without stacks), or nothing did for a
   * while. In order of time, not numbered, and to be told before the next call: what the ledger holds for them is let go then.
   * `waits`: the moment of the first claim that is not proven yet.
   */
  takeSettled(now: number, waits: number | undefined): Finding[] {
    for (const {first} of this.taken) this.release(first);
    // What still waits may join a group.
    const until = Math.min(now, waits ?? now);
    for (const [key, group] of this.open) if (until - group.lastAt > 4 * DEED_NS) this.open.delete(key);
    // Groups that a later one of the same key replaced are settled too.
    const live = new Set(this.open.values());
    const out = this.groups.filter((group) => !live.has(group)).sort((a, b) => a.start - b.start);
    this.groups.length = 0;
    this.listed = 0;
    this.owned = 0;
    for (const group of live) {
      this.groups.push(group);
      this.listed += group.pages.size;
      for (const {own} of group.pages.values()) if (own !== null) this.owned++;
    }
    this.taken = out;
    return out.map((group) => this.finding(group));
  }

  private finding(group: Group): Finding {
    const {m} = this;
    const v = group.first;
    const pages = [...group.pages.values()].sort((a, b) => first(group, b) - first(group, a) || a.pfn - b.pfn);
    const device = v.device >= 0 ? m.dma.devices[v.device]!.name : undefined;
    const {file, kind} = v.page;
    return atLength(
      {
        id: '',
        key: keyOf(
          v,
          v.evidence.filter((e) => e.deed.line > 0).map((e) => ({role: e.role, line: e.deed.line})),
        ),
        cause: '',
        rule: v.rule,
        severity: v.severity,
        verdict: group.proof.verdict,
        reason: group.proof.reason,
        kind,
        pages: pages.map((p): FindingPage => {
          const page = {pfn: hex(p.pfn), order: p.order, ...pageTimes(m, p), occurrences: p.occurrences};
          if (pages.length === 1 || p.own === null) return page;
          return ownOf(Object.assign(page, momentOf(m, p.own.at)), {m, own: p.own});
        }),
        ...timesOf(m, group.start, group.end),
        ...momentOf(m, v.at),
        distance_ns: distanceOf(m, v),
        occurrences: group.occurrences,
        related: [],
        tasks: distinctTasks(m, v),
        ...(device === undefined ? {} : {device}),
        ...(file ? {file: fileText(file)} : {}),
        message: messageOf(v, {
          pages: pagesText(pages),
          task: (role) => taskText(m, v, role),
          device: device ?? (v.device < 0 ? 'a device' : ''),
          ticks: m.capture.time.unit === 'ticks',
        }),
      },
      {m, group},
    );
  }
}

/** What a finding tells at length. Thousands of findings would not fit into memory with it, and few of them are printed. */
const atLength = madeWhenRead<
  {m: Ledger; group: Group},
  Pick<Finding, 'stacks' | 'proof' | 'evidence' | 'history' | 'windows' | 'counts'>
>({
  stacks: ({m, group}) => stacksOf(group.first).map(({role, stack}) => ({role, frames: m.evidence.stacks.get(stack)})),
  proof: ({group}) => proofOf(group.proof),
  evidence: ({m, group}) => inOrder(group.evidence).map(({role, deed}) => evidenceOf(m, role, deed)),
  history: ({m, group}) =>
    excerptOf(
      m,
      group.first.excerpt,
      group.evidence.map(({deed}) => deed),
    ),
  windows: ({m, group}) => windowsOf(m, group.first),
  counts({group: {first: v}}) {
    const large = v.order > 0;
    return {before: decode(v.countsBefore, large), after: decode(v.countsAfter, large)};
  },
});

/** The windows and the deciding lines of one page among several. */
const ownOf = madeWhenRead<
  {m: Ledger; own: NonNullable<Page['own']>},
  Required<Pick<FindingPage, 'windows' | 'lines'>>
>({
  windows: ({m, own}) => windowsOf(m, own),
  lines: ({m, own}) =>
    inOrder(own.evidence).map(({role, deed}) => ({
      role,
      input: deed.input,
      line: deed.line,
      ...(Number.isFinite(deed.t) && m.capture.time.unit === 'ns'
        ? {t_ns: String(m.capture.time.absolute(deed.t))}
        : {}),
    })),
});

/** Each line once, those in the trace only, oldest first. */
function inOrder(evidence: readonly Item[]): Item[] {
  return evidence
    .filter((e, i, all) => e.deed.line > 0 && all.findIndex((o) => same(o, e)) === i)
    .sort((a, b) => a.deed.t - b.deed.t || a.deed.line - b.deed.line);
}

/** Its text is read from the trace again. */
const withText = madeWhenRead<{m: Ledger; deed: Item['deed']}, Pick<Evidence, 'text'>>({
  text: ({m, deed}) => m.evidence.lineText(deed.input, deed.text),
});

function evidenceOf(m: Ledger, role: string, deed: Item['deed']): Evidence {
  const one: Evidence = withText({role, input: deed.input, line: deed.line}, {m, deed});
  if (m.capture.recordings.has(deed.input)) one.rendered = true;
  if (Number.isFinite(deed.t))
    one[m.capture.time.unit === 'ns' ? 't_ns' : 't_ticks'] = String(m.capture.time.absolute(deed.t));
  if (deed.cpu >= 0) one.cpu = deed.cpu;
  if ('task' in deed && deed.task >= 0) {
    const {comm, pid} = m.evidence.tasks.get(deed.task);
    one.task = comm;
    one.pid = pid;
  }
  return one;
}

/** 1 for the page of the first violation: its history and windows are shown, so it is named first. */
function first(group: Group, page: Page): number {
  return page.pfn === group.first.pfn ? 1 : 0;
}

type Item = Claim['evidence'][number];

function same(a: Item, b: Item): boolean {
  return a.deed.line === b.deed.line && a.deed.input === b.deed.input;
}

/** A reason without the numbers that differ from page to page: doubts of one kind are one doubt. */
function generalReason(reason: string | null): string {
  return reason === null ? '' : reason.replace(/0x[0-9a-f]+|\d+/g, '#');
}

function proofOf({steps}: Proof): Finding['proof'] {
  return steps.map(({premise, says, proven, by, why}) => ({
    premise,
    says,
    proven,
    by: by.map(({input, line}) => ({input, line})),
    ...(why === undefined ? {} : {why}),
  }));
}

/** Those that the rule names, then those of the other deciding events: the map's, the writeback's. */
function stacksOf(v: Claim): {role: string; stack: number}[] {
  const list = v.stacks.filter(({stack}) => stack >= 0);
  for (const {role, deed} of v.evidence) {
    if (!('stack' in deed) || deed.stack < 0 || list.some((one) => one.role === role || one.stack === deed.stack))
      continue;
    list.push({role, stack: deed.stack});
  }
  return list;
}

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}

/** `PFN 0x2fb0`, `PFN 0x600-0x7ff (order 9)`, `4 pages (PFN 0x2f7c, 0x2fae...)`: the lowest first. */
function pagesText(of: readonly Page[]): string {
  const pages = [...of].sort((a, b) => a.pfn - b.pfn);
  const [first] = pages;
  if (pages.length === 1)
    return first!.order > 0 ? `folio at PFN ${hex(first!.pfn)} (order ${first!.order})` : `PFN ${hex(first!.pfn)}`;
  return `${pages.length} pages (PFN ${pages
    .slice(0, 2)
    .map((p) => hex(p.pfn))
    .join(', ')}${pages.length > 2 ? '...' : ''})`;
}

function taskText(m: Ledger, v: Claim, role: string): string {
  const who = v.tasks.find((t) => t.role === role);
  if (!who || who.task < 0) return 'an unseen task';
  const {comm, pid} = m.evidence.tasks.get(who.task);
  return task(comm, pid);
}

function distinctTasks(m: Ledger, v: Claim): Finding['tasks'] {
  return v.tasks
    .filter((t) => t.task >= 0)
    .map(({role, task}) => {
      const {comm, pid, tgid} = m.evidence.tasks.get(task);
      const interrupt = v.evidence.some((e) => e.role === role && 'context' in e.deed && inInterrupt(e.deed.context));
      return {role, comm, pid, ...(tgid >= 0 ? {tgid} : {}), ...(interrupt ? {interrupt: true as const} : {})};
    });
}

/** Between the two deciding events, in ns; null where there is no second one. */
function distanceOf(m: Ledger, v: Claim): string | null {
  const {distance} = v.args;
  if (distance === undefined || !Number.isFinite(distance) || m.capture.time.unit === 'ticks') return null;
  return String(Math.round(distance));
}

/** Most kin that one finding names. */
const RELATED_MAX = 12;

/** Findings of different rules about one generation of a page that rest on a line in common, told of each other. */
function relate(kept: readonly Kept[]): void {
  const byPage = new Map<string, Kept[]>();
  for (const one of kept) {
    for (const page of one.group.pages.values()) {
      const key = `${page.row}.${page.generation}`;
      const list = byPage.get(key);
      if (!list) byPage.set(key, [one]);
      else if (list.at(-1) !== one) list.push(one);
    }
  }
  // Findings of several pages meet on each of them.
  const met = new Set<string>();
  for (const list of byPage.values()) {
    if (list.length < 2) continue;
    const who = list.map(({finding}) => finding.id).join(' ');
    if (met.has(who)) continue;
    met.add(who);
    relateWithin(list);
  }
}

/** Findings of one page: those that name the same line (a pin, a mapping) are of one deed. */
function relateWithin(list: readonly Kept[]): void {
  const byLine = new Map<string, Finding[]>();
  for (const {group, finding} of list) {
    for (const {deed} of inOrder(group.evidence)) {
      const {input, line} = deed;
      const key = `${input}.${line}`;
      const of = byLine.get(key);
      if (!of) byLine.set(key, [finding]);
      else if (of.length < RELATED_MAX) of.push(finding);
    }
  }
  for (const of of byLine.values()) {
    for (const a of of) {
      for (const b of of) {
        if (a !== b && a.rule !== b.rule && !a.related.includes(b.id) && a.related.length < RELATED_MAX)
          a.related.push(b.id);
      }
    }
  }
}
