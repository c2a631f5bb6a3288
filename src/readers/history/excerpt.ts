/** What happened to the page of a finding about its moment: the entries that were held for it. */
import {formatDuration} from '../../base/duration.js';
import type {Ledger} from '../../ledger/ledger.js';
import type {Excerpt} from '../../ledger/tables/life.js';
import type {HistoryEntry} from '../../results/report.js';
import {placed} from '../../words/place.js';
import {entryOf} from './entry.js';
import {inferKinds} from './kinds.js';
import {type Happening, happeningsOf} from './life.js';

interface Place {
  input: number;
  line: number;
}

/** `decides`: the lines that make the finding. What else is kept of the page tells the kinds of its references. */
export function excerptOf(m: Ledger, excerpt: Excerpt | undefined, decides: readonly Place[]): HistoryEntry[] {
  if (excerpt === undefined) return [];
  const {entries} = m.book;
  const {ordinal, input, line} = entries;
  const ids = [...excerpt.ids];
  const shown = new Set(ids.map((id) => ordinal[id]!));
  for (const id of entries.of(excerpt.life)) {
    if (shown.has(ordinal[id]!)) continue;
    ids.push(id);
    if (decides.some((one) => one.line === line[id] && one.input === input[id])) shown.add(ordinal[id]!);
  }
  ids.sort((a, b) => ordinal[a]! - ordinal[b]!);
  const happenings = happeningsOf(m, ids);
  inferKinds({born: 'unknown', order: 0, happenings}, (stack) => m.evidence.stacks.get(stack));
  const out: HistoryEntry[] = [];
  let last = 0;
  for (const h of happenings) {
    if (!shown.has(h.ordinal)) continue;
    const between = h.ordinal - last - 1;
    if (between > 0) out.push(leftOut(h, between));
    out.push(historyEntry(m, h));
    last = Math.max(last, h.ordinal);
  }
  return out;
}

function historyEntry(m: Ledger, h: Happening): HistoryEntry {
  const entry = entryOf(m, h);
  const began = beganAt(m, h);
  if (began === null) return entry;
  const words = placed(began, m.capture.noun(h.input));
  entry.note = entry.note === null ? words : `${words}; ${entry.note}`;
  return entry;
}

/** `taken at line 120, 1.2 ms before` */
function beganAt(m: Ledger, h: Happening): string | null {
  const from = h.pair !== null && h.pair.with.ordinal < h.ordinal ? h.pair.with : undefined;
  const line = from?.line ?? h.began;
  if (line === 0) return null;
  const what = h.what === 'dropped' ? 'taken' : h.what === 'writeback-end' ? 'started' : 'mapped';
  const ago = from === undefined || m.capture.time.unit === 'ticks' ? '' : `, ${formatDuration(h.t - from.t)} before`;
  return `${what} at line ${line}${ago}`;
}

function leftOut(next: Happening, n: number): HistoryEntry {
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
    note: n === 1 ? '1 more change' : `${n} more changes`,
    counts: null,
  };
}
