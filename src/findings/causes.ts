/**
 * What findings have in common: rule, severity, device, and whose hands took and dropped. Hundreds of findings of one
 * mistake are one cause; a page or a time is none.
 */
import type {Cause, Finding, Party} from '../results/report.js';
import {byGravity} from '../results/severity.js';
import {RULES} from '../rules/registry.js';
import {type Hand, type Hands, handsOf} from './culprit.js';

/** Most names of tasks, and files, that a cause lists. */
const LISTED = 8;
/** Share of a cause's findings that are also another's, to call it the same deeds. */
const KIN_SHARE = 0.5;
const RULE_ORDER = new Map(RULES.map((rule, at) => [rule.meta.id as string, at]));

interface Group {
  key: string;
  hands: Hands;
  findings: Finding[];
  comms: Record<keyof Hands, Map<string, number>>;
}

/**
 * The causes of these findings, the gravest first, numbered. Sets `cause` of each finding. Findings have to be whole:
 * numbered, naming their kin.
 */
export function causesOf(findings: readonly Finding[]): Cause[] {
  const groups = [...grouped(findings).values()].sort(inOrder);
  groups.forEach((group, i) => {
    for (const finding of group.findings) finding.cause = `C${i + 1}`;
  });
  const causes = groups.map(causeOf);
  markKin(groups, causes);
  return causes;
}

function grouped(findings: readonly Finding[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const finding of findings) {
    const hands = handsOf(finding);
    const key = causeKey(finding, hands);
    let group = groups.get(key);
    if (group === undefined) {
      group = {key, hands, findings: [], comms: {taken: new Map(), dropped: new Map(), acted: new Map()}};
      groups.set(key, group);
    }
    group.findings.push(finding);
    for (const side of ['taken', 'dropped', 'acted'] as const) {
      const comm = hands[side]?.comm;
      if (comm) group.comms[side].set(comm, (group.comms[side].get(comm) ?? 0) + 1);
    }
  }
  return groups;
}

function causeKey(finding: Finding, hands: Hands): string {
  return [finding.rule, finding.severity, finding.device ?? '', ...identity(finding, hands)].join('|');
}

/** Ids of causes in the order in which they are met, for findings that are told one by one. */
export class CauseIds {
  private readonly ids = new Map<string, string>();

  of(finding: Finding): string {
    const key = causeKey(finding, handsOf(finding));
    const known = this.ids.get(key) ?? `C${this.ids.size + 1}`;
    this.ids.set(key, known);
    return known;
  }
}

/**
 * Who starts writeback is chance (a flusher, an fsync of any task), and whether a task or a worker dirties pages at unpin too:
 * of these only a stack makes another cause.
 */
function identity(finding: Finding, {taken, dropped, acted}: Hands): string[] {
  const chance =
    (acted?.role === 'writeback' || finding.rule === 'dirty-after-writeback') && acted?.known_by !== 'stack';
  return [handKey(taken), handKey(dropped), chance ? '' : handKey(acted)];
}

function handKey(hand: Hand | null): string {
  return hand === null ? '' : `${hand.role}:${(hand.frames ?? [hand.name]).join('<')}`;
}

function inOrder(a: Group, b: Group): number {
  const [x, y] = [a.findings[0]!, b.findings[0]!];
  return (
    byGravity(x.severity, y.severity) ||
    anySure(b) - anySure(a) ||
    (RULE_ORDER.get(x.rule) ?? 0) - (RULE_ORDER.get(y.rule) ?? 0) ||
    b.findings.length - a.findings.length ||
    (a.key < b.key ? -1 : 1)
  );
}

function anySure(group: Group): number {
  return group.findings.some((finding) => finding.verdict === 'sure') ? 1 : 0;
}

function causeOf(group: Group): Cause {
  const {findings, hands, comms} = group;
  const [one] = findings as [Finding];
  const sure = findings.filter((finding) => finding.verdict === 'sure').length;
  return {
    id: one.cause,
    rule: one.rule,
    severity: one.severity,
    device: one.device ?? null,
    taken_by: partyOf(hands.taken, comms.taken),
    dropped_by: partyOf(hands.dropped, comms.dropped),
    acted_by: partyOf(hands.acted, comms.acted),
    findings: findings.length,
    pages: pagesOf(findings),
    occurrences: findings.reduce((sum, finding) => sum + finding.occurrences, 0),
    sure,
    possible: findings.length - sure,
    ...spanOf(findings),
    worst: worstOf(findings),
    files: filesOf(findings),
    kin_of: null,
  };
}

function partyOf(hand: Hand | null, comms: ReadonlyMap<string, number>): Party | null {
  if (hand === null) return null;
  const {role, name, known_by, frames} = hand;
  return {role, name, known_by, comms: mostFrequent(comms).slice(0, LISTED), ...(frames === undefined ? {} : {frames})};
}

function mostFrequent<T>(counts: ReadonlyMap<T, number>): T[] {
  return [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

/** Different page frames: a page found several times counts once. */
function pagesOf(findings: readonly Finding[]): number {
  const seen = new Map<string, number>();
  for (const {pages} of findings) for (const {pfn, order} of pages) seen.set(pfn, Math.max(seen.get(pfn) ?? 0, order));
  let pages = 0;
  for (const order of seen.values()) pages += 2 ** order;
  return pages;
}

function spanOf(findings: readonly Finding[]): Pick<Cause, 'first_ns' | 'last_ns' | 'first_ticks' | 'last_ticks'> {
  const first = extreme(
    findings.map((finding) => finding.start_ns ?? finding.start_ticks),
    -1,
  );
  const last = extreme(findings.flatMap(ends), 1);
  const ticks = findings.some((finding) => finding.start_ticks !== undefined || finding.end_ticks !== undefined);
  if (!ticks) return {first_ns: first, last_ns: last};
  return {
    first_ns: null,
    last_ns: null,
    ...(first === null ? {} : {first_ticks: first}),
    ...(last === null ? {} : {last_ticks: last}),
  };
}

/** When a finding is over; one that has no end in the trace, when it began. */
function ends(finding: Finding): (string | null | undefined)[] {
  return [finding.end_ns ?? finding.end_ticks, finding.start_ns ?? finding.start_ticks];
}

/** The least (-1) or greatest (1) of decimal strings; null of none. */
function extreme(texts: readonly (string | null | undefined)[], sign: 1 | -1): string | null {
  let best: bigint | null = null;
  for (const text of texts) {
    if (text === null || text === undefined) continue;
    const value = BigInt(text);
    if (best === null || (sign > 0 ? value > best : value < best)) best = value;
  }
  return best === null ? null : best.toString();
}

function worstOf(findings: readonly Finding[]): Cause['worst'] {
  const sure = findings.filter((finding) => finding.verdict === 'sure');
  const proven = sure.length > 0 ? sure : findings;
  let worst = proven[0]!;
  for (const finding of proven) if (distance(finding) > distance(worst)) worst = finding;
  return {distance_ns: worst.distance_ns, key: worst.key};
}

function distance(finding: Finding): bigint {
  return finding.distance_ns === null ? -1n : BigInt(finding.distance_ns);
}

function filesOf(findings: readonly Finding[]): Cause['files'] {
  const files = new Map<string, Cause['files'][number]>();
  for (const {file} of findings) {
    if (file === undefined) continue;
    const key = `${file.dev}/${file.ino}`;
    const known = files.get(key);
    if (known === undefined) files.set(key, {dev: file.dev, ino: file.ino, findings: 1});
    else known.findings++;
  }
  return [...files.values()].sort((a, b) => b.findings - a.findings).slice(0, LISTED);
}

/** A cause most of whose findings are deeds of a graver one, seen by another rule, names that one. */
function markKin(groups: readonly Group[], causes: readonly Cause[]): void {
  const causeOfId = new Map<string, number>();
  groups.forEach((group, i) => {
    for (const {id} of group.findings) causeOfId.set(id, i);
  });
  groups.forEach((group, i) => {
    const shared = new Map<number, number>();
    for (const {related} of group.findings) {
      const kin = new Set(
        related.map((id) => causeOfId.get(id)).filter((at): at is number => at !== undefined && at < i),
      );
      for (const at of kin) shared.set(at, (shared.get(at) ?? 0) + 1);
    }
    const [most] = [...shared].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    if (most === undefined || most[1] < group.findings.length * KIN_SHARE) return;
    causes[i]!.kin_of = causes[most[0]]!.kin_of ?? causes[most[0]]!.id;
  });
}
