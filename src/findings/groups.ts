/** `--by page|task|file`: findings summed up by what they are about instead of by their causes. */
import type {Finding, ReportGroups, Severity} from '../results/report.js';
import {handsOf} from './culprit.js';

type Row = ReportGroups['rows'][number];

/** Rows with the most and gravest findings first. A finding of many pages is in the row of each. */
export function groupsOf(findings: readonly Finding[], by: ReportGroups['by']): ReportGroups {
  const rows = new Map<string, {row: Row; worst: bigint}>();
  for (const finding of findings) {
    for (const name of new Set(namesOf(finding, by))) {
      let group = rows.get(name);
      if (group === undefined) {
        group = {row: emptyRow(name, finding), worst: -1n};
        rows.set(name, group);
      }
      add(group, finding);
    }
  }
  const weight = ({by_severity: {error, warning}, findings: all}: Row): number => error * 1e12 + warning * 1e6 + all;
  return {by, rows: [...rows.values()].map(({row}) => row).sort((a, b) => weight(b) - weight(a))};
}

function namesOf(finding: Finding, by: ReportGroups['by']): string[] {
  switch (by) {
    case 'page':
      return finding.pages.map(({pfn, order}) => (order > 0 ? `${pfn} (order ${order})` : pfn));
    case 'task': {
      const {taken, dropped, acted} = handsOf(finding);
      const comms = [taken, dropped, acted].map(
        (hand) => hand?.comm ?? (hand?.known_by === 'interrupt' ? hand.name : null),
      );
      const named = comms.filter((comm) => comm !== null);
      return named.length === 0 ? ['an unseen task'] : named;
    }
    case 'file':
      if (finding.file !== undefined) return [`device ${finding.file.dev}, inode ${finding.file.ino}`];
      return [finding.kind === 'anonymous' ? 'anonymous memory' : 'no file known'];
  }
}

function emptyRow(name: string, {key}: Finding): Row {
  const by_severity: Record<Severity, number> = {error: 0, warning: 0, note: 0};
  return {name, findings: 0, by_severity, sure: 0, by_rule: {}, worst: {distance_ns: null, key}};
}

function add(group: {row: Row; worst: bigint}, finding: Finding): void {
  const {row} = group;
  row.findings++;
  row.by_severity[finding.severity]++;
  if (finding.verdict === 'sure') row.sure++;
  row.by_rule[finding.rule] = (row.by_rule[finding.rule] ?? 0) + 1;
  const distance = finding.distance_ns === null ? -1n : BigInt(finding.distance_ns);
  if (distance <= group.worst) return;
  group.worst = distance;
  row.worst = {distance_ns: finding.distance_ns, key: finding.key};
}
