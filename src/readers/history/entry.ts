/** What happened to a page as reports print it. */
import type {Ledger} from '../../ledger/ledger.js';
import type {LifeEntry, Pairing} from '../../results/history.js';
import {decode} from '../../words/counts.js';
import {placed} from '../../words/place.js';
import type {Happening} from './life.js';

/** Frames of a taking or dropping that JSON shows. */
const FRAMES_MAX = 32;

export function entryOf(m: Ledger, h: Happening): LifeEntry {
  const {tasks, stacks} = m.evidence;
  const {time} = m.capture;
  const task = tasks.get(h.task);
  const ticks = time.unit === 'ticks';
  const t = Number.isFinite(h.t) ? String(time.absolute(h.t)) : null;
  const changes = h.what === 'taken' || h.what === 'dropped';
  const isPinOrGet = h.kind === 'pin' || h.kind === 'get';
  const raw = Number.isNaN(h.raw) ? null : h.raw;
  return {
    t_ns: ticks ? null : t,
    ...(ticks && t !== null ? {t_ticks: t} : {}),
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
    ...(isPinOrGet && h.stack >= 0 ? {frames: stacks.get(h.stack).slice(0, FRAMES_MAX)} : {}),
    pair: h.pair === null ? null : pairingOf(m, h, h.pair),
  };
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
