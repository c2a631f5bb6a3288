/** What happened to a page as reports print it. */
import type {Ledger} from '../../ledger/ledger.js';
import type {LifeEntry, Pairing} from '../../results/history.js';
import type {HistoryEntry} from '../../results/report.js';
import {decode} from '../../words/counts.js';
import {placed} from '../../words/place.js';
import type {Happening} from './life.js';

/** Frames of a taking or dropping that JSON shows. */
const FRAMES_MAX = 32;

/** With its stack and its other half, as a history shows it. */
export function lifeEntryOf(m: Ledger, h: Happening): LifeEntry {
  const isPinOrGet = h.kind === 'pin' || h.kind === 'get';
  const frames = isPinOrGet && h.stack >= 0 ? {frames: m.evidence.stacks.get(h.stack).slice(0, FRAMES_MAX)} : {};
  return Object.assign(entryOf(m, h), frames, {pair: h.pair === null ? null : pairingOf(m, h, h.pair)});
}

/** As findings show it: thousands of them are made at the end of a trace, each as one object and no copy. */
export function entryOf(m: Ledger, h: Happening): HistoryEntry {
  const {time} = m.capture;
  const task = m.evidence.tasks.get(h.task);
  const changes = h.what === 'taken' || h.what === 'dropped';
  const raw = Number.isNaN(h.raw) ? null : h.raw;
  const t = Number.isFinite(h.t) ? String(time.absolute(h.t)) : null;
  const rest = {
    cpu: h.cpu >= 0 ? h.cpu : null,
    task: h.task >= 0 ? task.comm : null,
    pid: h.task >= 0 && task.pid >= 0 ? task.pid : null,
    line: h.line,
    input: h.input,
    what: h.what,
    kind: h.kind,
    delta: Number.isNaN(h.delta) ? null : h.delta,
    known_by: h.knownBy,
    note: h.notes.length === 0 ? null : placed(h.notes.join('; '), m.capture.noun(h.input)),
    counts: raw === null && !changes ? null : decode({raw, pins: h.pins}, h.large),
  };
  if (time.unit !== 'ticks') return {t_ns: t, ...rest};
  return t === null ? {t_ns: null, ...rest} : {t_ns: null, t_ticks: t, ...rest};
}

function pairingOf(m: Ledger, h: Happening, pair: NonNullable<Happening['pair']>): Pairing {
  const other = pair.with;
  const far = Math.abs(h.t - other.t);
  return {
    input: other.input,
    line: other.line,
    distance_ns: m.capture.time.unit === 'ticks' || !Number.isFinite(far) ? null : String(far),
    how: pair.how,
  };
}
