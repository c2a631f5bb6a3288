/** A page's journal as the history and the windows that a finding shows. */
import type {Journal, JournalEntry} from '../ledger/tables/journal.js';
import {KNOWN_BY, What} from '../ledger/tables/journal.js';
import type {Ledger} from '../ledger/ledger.js';
import type {HistoryEntry} from '../results/report.js';
import {formatDuration} from '../base/duration.js';
import {directionName} from '../words/direction.js';
import {decode} from '../words/counts.js';

const NAMES: Record<number, string> = {
  [What.alloc]: 'alloc',
  [What.free]: 'free',
  [What.change]: 'change',
  [What.taken]: 'taken',
  [What.dropped]: 'dropped',
  [What.dmaMap]: 'dma-map',
  [What.dmaUnmap]: 'dma-unmap',
  [What.writebackStart]: 'writeback-start',
  [What.writebackEnd]: 'writeback-end',
  [What.dirty]: 'dirty',
  [What.clean]: 'clean',
  [What.freeze]: 'freeze',
  [What.unfreeze]: 'unfreeze',
  [What.set]: 'set',
  [What.cacheAdd]: 'cache-add',
  [What.cacheDelete]: 'cache-delete',
};
const KINDS = [null, 'pin', 'get'] as const;

export function historyOf(m: Ledger, journal: Journal | undefined, large: boolean): HistoryEntry[] {
  if (!journal) return [];
  const {entries, gapAfter, skipped} = journal.entries();
  const out: HistoryEntry[] = [];
  entries.forEach((entry, i) => {
    if (i === gapAfter && skipped > 0) out.push(folded(entry, skipped));
    out.push(entryOf(m, entry, large, entries));
  });
  return out;
}

function entryOf(m: Ledger, e: JournalEntry, large: boolean, all: readonly JournalEntry[]): HistoryEntry {
  const task = m.evidence.tasks.get(e.task);
  const ticks = m.capture.time.unit === 'ticks';
  const taken = e.partner > 0 ? all.find((o) => o.line === e.partner) : undefined;
  return {
    t_ns: ticks ? null : String(m.capture.time.absolute(e.t)),
    ...(ticks ? {t_ticks: String(m.capture.time.absolute(e.t))} : {}),
    cpu: e.cpu >= 0 ? e.cpu : null,
    task: task.comm,
    pid: task.pid,
    line: e.line,
    input: e.input,
    what: e.what === What.change ? (e.delta >= 0 ? 'taken' : 'dropped') : NAMES[e.what]!,
    kind: e.what === What.change ? 'unknown' : isReference(e) ? (KINDS[e.kind & 3] ?? null) : null,
    delta: Number.isNaN(e.delta) ? null : e.delta,
    known_by: isReference(e) ? (KNOWN_BY[e.kind >> 2] ?? null) : null,
    note:
      e.partner > 0
        ? partnerNote(e, taken, ticks, m.capture.noun(e.input))
        : e.what === What.dmaMap
          ? mapping(m, e)
          : null,
    counts: Number.isNaN(e.raw) ? null : decode({raw: e.raw, pins: e.pins}, large),
  };
}

function isReference(e: JournalEntry): boolean {
  return e.what === What.taken || e.what === What.dropped;
}

/** `pinbug.0 BIDIRECTIONAL` */
function mapping(m: Ledger, e: JournalEntry): string {
  const device = m.dma.devices[Math.floor(e.kind / 8) - 1]?.name ?? 'IOMMU';
  return `${device} ${directionName((e.kind % 8) - 1)}`;
}

function partnerNote(e: JournalEntry, taken: JournalEntry | undefined, ticks: boolean, noun: string): string {
  const what = e.what === What.dmaUnmap ? 'mapped' : 'taken';
  const ago = taken && !ticks ? `, ${formatDuration(e.t - taken.t)} before` : '';
  return `${what} at ${noun} ${e.partner}${ago}`;
}

function folded(next: JournalEntry, skipped: number): HistoryEntry {
  return {
    t_ns: null,
    cpu: null,
    task: null,
    pid: null,
    line: next.line,
    input: next.input,
    what: 'folded',
    kind: null,
    delta: null,
    known_by: null,
    note: `${skipped} more changes`,
    counts: null,
  };
}
