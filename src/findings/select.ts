/** --pfn, --time, --pid, --comm, --cpu, --device, --inode and --severity: which findings are reported. */
import {globMatches} from '../base/glob.js';
import type {Range, Selection} from '../base/selection.js';
import {reaches} from '../results/severity.js';
import {deviceText} from '../words/file.js';
import type {Finding, FindingPage, Severity} from '../results/report.js';

/** Answers for each finding whether it is within what the user asked for. */
export function selector(options: {selection: Selection; severity: Severity}): (finding: Finding) => boolean {
  const {selection: s, severity} = options;
  return (f) =>
    reaches(f.severity, severity) &&
    (s.pfn.length === 0 || f.pages.some((p) => touches(s.pfn, p))) &&
    (s.time === undefined || inTime(s.time, f)) &&
    (s.pid.length === 0 ||
      f.tasks.some((t) => within(s.pid, t.pid) || (t.tgid !== undefined && within(s.pid, t.tgid)))) &&
    (s.comm.length === 0 || f.tasks.some((t) => s.comm.some((pattern) => globMatches(pattern, t.comm)))) &&
    (s.cpu.length === 0 || f.evidence.some((e) => e.cpu !== undefined && within(s.cpu, e.cpu))) &&
    (s.device.length === 0 ||
      (f.device !== undefined && s.device.some((pattern) => globMatches(pattern, f.device!)))) &&
    (s.inode.length === 0 || (f.file !== undefined && s.inode.some((i) => isFile(i, f.file!))));
}

function within(ranges: readonly Range[], value: number): boolean {
  return ranges.some((r) => value >= r.first && value <= r.last);
}

function touches(ranges: readonly Range[], page: FindingPage): boolean {
  const first = Number(page.pfn);
  const last = first + 2 ** page.order - 1;
  return ranges.some((r) => first <= r.last && last >= r.first);
}

function inTime(span: NonNullable<Selection['time']>, f: Finding): boolean {
  const ticks = f.start_ticks !== undefined || f.end_ticks !== undefined;
  const start = toBig(ticks ? f.start_ticks : f.start_ns);
  const end = toBig(ticks ? f.end_ticks : f.end_ns);
  const from = span.from === null ? null : ticks ? span.from.ticks : span.from.ns;
  const to = span.to === null ? null : ticks ? span.to.ticks : span.to.ns;
  return (to === null || start === null || start <= to) && (from === null || end === null || end >= from);
}

function toBig(text: string | null | undefined): bigint | null {
  return text === null || text === undefined ? null : BigInt(text);
}

function isFile(choice: Selection['inode'][number], file: NonNullable<Finding['file']>): boolean {
  if (String(choice.ino) !== file.ino) return false;
  if (choice.devId === null) return true;
  return file.dev === deviceText(choice.devId);
}
