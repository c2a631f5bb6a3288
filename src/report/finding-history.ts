/** The history of a finding's page as plain text: the changes about its moment. */
import type {Noun} from '../words/place.js';
import {ascii} from '../words/clean.js';
import {clip, decodedShort, task, time, wrap} from '../words/format.js';
import type {Finding, HistoryEntry} from '../results/report.js';

/** Most entries of a history shown with a finding: those about its moment. */
const ABOUT = 10;

/** The changes about the moment of a finding, and how many are left out before and after. */
export function aboutMoment(finding: Finding): {entries: HistoryEntry[]; before: number; after: number} {
  const {history, at_ns, at_ticks} = finding;
  const moment = at_ns ?? at_ticks;
  const past = (entry: HistoryEntry): boolean => {
    const at = entry.t_ns ?? entry.t_ticks;
    return at !== null && at !== undefined && moment !== undefined && moment !== null && BigInt(at) > BigInt(moment);
  };
  const next = history.findIndex(past);
  const middle = next < 0 ? history.length : next;
  const from = Math.max(0, Math.min(middle - Math.ceil(ABOUT / 2), history.length - ABOUT));
  const entries = history.slice(from, from + ABOUT);
  return {entries, before: from, after: history.length - from - entries.length};
}

/** `pin +1024`, `dropped pin -1024`: what an entry of a history did, without who and when. */
export function change(entry: HistoryEntry): string {
  const kind = entry.kind === null ? '' : `${entry.kind} `;
  const delta = entry.delta === null ? '' : entry.delta > 0 ? `+${entry.delta}` : String(entry.delta);
  if (entry.what === 'taken' || entry.what === 'dropped') return `${entry.what} ${kind}${delta}`.trimEnd();
  if (entry.what === 'folded') return '...';
  return `${entry.what} ${kind}${delta}`.trimEnd();
}

/** A comm of 15 bytes, a slash and a pid of seven digits. */
const MOST_TASK = 23;

/** The history of the first page: time, CPU, task, change, decoded count, line; notes go under their entry. */
export function historyLines(entries: readonly HistoryEntry[], noun: Noun, width: number, indent: string): string[] {
  if (entries.length === 0) return [];
  const rows = entries.map((entry) => ({
    cells: [
      time(entry.t_ns, entry.t_ticks),
      entry.cpu === null ? '' : String(entry.cpu),
      clip(ascii(task(entry.task, entry.pid)), MOST_TASK),
      ascii(change(entry)),
      decodedShort(entry.counts),
      entry.line > 0 ? String(entry.line) : '',
    ],
    note: entry.note,
  }));
  const heads = ['time', 'cpu', 'task', 'change', 'count', noun];
  const widths = heads.map((head, at) =>
    rows.reduce((widest, row) => Math.max(widest, row.cells[at]?.length ?? 0), head.length),
  );
  const rightward = new Set([1, 5]);
  const line = (cells: string[]): string =>
    `${indent}${cells
      .map((cell, at) => (rightward.has(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')}`.trimEnd();
  const noteIndent = `${indent}${' '.repeat((widths[0] ?? 0) + 2)}`;
  const lines = [line(heads)];
  for (const row of rows) {
    if (row.cells[3] === '...' && row.note !== null) {
      lines.push(...wrap(`... ${ascii(row.note)}`, width, noteIndent));
      continue;
    }
    lines.push(line(row.cells));
    if (row.note !== null) lines.push(...wrap(ascii(row.note), width, `${noteIndent}  `));
  }
  return lines;
}
