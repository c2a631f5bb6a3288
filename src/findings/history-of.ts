/** A page's journal as the history and the windows that a finding shows. */
import type {Journal, JournalEntry} from '../ledger/tables/journal.js';
import {KNOWN_BY, What} from '../ledger/tables/journal.js';
import type {Model} from '../ledger/model.js';
import type {HistoryEntry, Window} from '../results/report.js';
import {formatDuration} from '../base/duration.js';
import {directionName} from '../rules/unpin-while-dma.js';
import {decode} from './counts.js';
import {timesOf} from './times.js';

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

export function historyOf(m: Model, journal: Journal | undefined, large: boolean): HistoryEntry[] {
  if (!journal) return [];
  const {entries, gapAfter, skipped} = journal.entries();
  const out: HistoryEntry[] = [];
  entries.forEach((entry, i) => {
    if (i === gapAfter && skipped > 0) out.push(folded(entry, skipped));
    out.push(entryOf(m, entry, large, entries));
  });
  return out;
}

function entryOf(m: Model, e: JournalEntry, large: boolean, all: readonly JournalEntry[]): HistoryEntry {
  const task = m.tasks.get(e.task);
  const ticks = m.time.unit === 'ticks';
  const taken = e.partner > 0 ? all.find((o) => o.line === e.partner) : undefined;
  return {
    t_ns: ticks ? null : String(m.time.absolute(e.t)),
    ...(ticks ? {t_ticks: String(m.time.absolute(e.t))} : {}),
    cpu: e.cpu >= 0 ? e.cpu : null,
    task: task.comm,
    pid: task.pid,
    line: e.line,
    input: e.input,
    what: e.what === What.change ? (e.delta >= 0 ? 'taken' : 'dropped') : NAMES[e.what]!,
    kind: e.what === What.change ? 'unknown' : isReference(e) ? (KINDS[e.kind & 3] ?? null) : null,
    delta: Number.isNaN(e.delta) ? null : e.delta,
    known_by: isReference(e) ? (KNOWN_BY[e.kind >> 2] ?? null) : null,
    note: e.partner > 0 ? partnerNote(e, taken, ticks, m.noun(e.input)) : e.what === What.dmaMap ? mapping(m, e) : null,
    counts: Number.isNaN(e.raw) ? null : decode({raw: e.raw, pins: e.pins}, large),
  };
}

function isReference(e: JournalEntry): boolean {
  return e.what === What.taken || e.what === What.dropped;
}

/** `pinbug.0 BIDIRECTIONAL` */
function mapping(m: Model, e: JournalEntry): string {
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

/** How the ends of a window are known where an event tells them. */
export const BEGINS = {pin: 'pin', get: 'get', dma: 'map', writeback: 'writeback-start'} as const;
export const ENDS = {pin: 'unpin', get: 'put', dma: 'unmap', writeback: 'writeback-end'} as const;

/**
 * Spans from the journal's pairs: references, DMA mappings, writebacks. What no event is known to have ended has no end: the
 * next event of its kind may be another's.
 */
export function windowsOf(m: Model, journal: Journal | undefined): Window[] {
  if (!journal) return [];
  const {entries} = journal.entries();
  const open: {kind: Window['kind']; entry: JournalEntry}[] = [];
  const out: Window[] = [];
  const label = (kind: Window['kind'], e: JournalEntry): string => {
    if (kind === 'dma') return mapping(m, e);
    const task = m.tasks.get(e.task);
    return `${kind} by ${task.comm}/${task.pid}`;
  };
  const close = (kind: Window['kind'], end: JournalEntry): void => {
    // A page is under one writeback at a time; everything else ends by the partner that the model gave it.
    const at = open.findIndex((o) => o.kind === kind && (kind === 'writeback' || o.entry.line === end.partner));
    if (at < 0) return;
    const [span] = open.splice(at, 1);
    out.push(window(kind, span!.entry, end));
  };
  const window = (kind: Window['kind'], from: JournalEntry, to: JournalEntry | null): Window => ({
    kind,
    label: label(kind, from),
    ...timesOf(m, from.t, to ? to.t : NaN),
    input: from.input,
    start_line: from.line,
    end_line: to?.line ?? null,
    start_known: BEGINS[kind],
    end_known: to ? ENDS[kind] : 'unknown',
  });
  for (const e of entries) {
    const reference = (e.kind & 3) === 1 ? 'pin' : 'get';
    if (e.what === What.taken) open.push({kind: reference, entry: e});
    else if (e.what === What.dropped) close(reference, e);
    else if (e.what === What.dmaMap) open.push({kind: 'dma', entry: e});
    else if (e.what === What.dmaUnmap) close('dma', e);
    else if (e.what === What.writebackStart) {
      // an end that the journal folded away
      const at = open.findIndex((o) => o.kind === 'writeback');
      if (at >= 0) out.push(window('writeback', open.splice(at, 1)[0]!.entry, null));
      open.push({kind: 'writeback', entry: e});
    } else if (e.what === What.writebackEnd) close('writeback', e);
  }
  for (const {kind, entry} of open) out.push(window(kind, entry, null));
  return out.sort((a, b) => (a.start_line ?? 0) - (b.start_line ?? 0));
}
