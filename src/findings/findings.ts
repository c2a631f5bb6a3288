/**
 * From violations (one rule, one page) to findings (one deed, many pages).
 *
 * One deed is one finding: the same rule with the same verdict, tasks and device, within a moment, or, where call stacks
 * were traced, from the same taking and dropping stacks at any time. Findings on one page at one time name each other.
 */
import type {Claim} from '../claims/claim.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Proof} from '../proof/prove.js';
import type {Cause, Finding, Verdict} from '../results/report.js';
import {byGravity} from '../results/severity.js';
import {causesOf} from './causes.js';
import {findingOf} from './finding.js';
import {type Group, pageKey, same} from './group.js';
import {type Kept, relate} from './kin.js';

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
  add(v: Claim, proof: Proof): void {
    const key = this.keyOf(v, proof);
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
        proof,
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

  private keyOf(v: Claim, proof: Proof): string {
    let stacks = '';
    for (const {stack} of v.stacks) stacks += `${stack},`;
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
    const key = pageKey(pfn, order);
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
        byGravity(a.first.severity, b.first.severity) ||
        VERDICT_ORDER[a.proof.verdict] - VERDICT_ORDER[b.proof.verdict] ||
        a.start - b.start,
    );
    const kept: Kept[] = [];
    let found = 0;
    for (const group of groups) {
      const finding = findingOf(this.m, group);
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
    return out.map((group) => findingOf(this.m, group));
  }
}

/** A reason without the numbers that differ from page to page: doubts of one kind are one doubt. */
function generalReason(reason: string | null): string {
  return reason === null ? '' : reason.replace(/0x[0-9a-f]+|\d+/g, '#');
}
