/** writeback:*, block:*, io_uring:*, for the slow reader. */
import {EventKind, type TraceEvent} from '../../../src/events/event.js';
import {Key} from '../../events/keys.js';
import {type Field, fieldsOf, last, number, signed} from './values.js';

const E = EventKind;
const WRITEBACK = new Map<string, EventKind>([
  ['writeback_dirty_folio', E.WritebackDirtyFolio],
  ['writeback_dirty_page', E.WritebackDirtyFolio],
  ['folio_wait_writeback', E.WaitOnWriteback],
  ['wait_on_page_writeback', E.WaitOnWriteback],
]);

/** Reads an event of input and output of files; false where `name` is none. */
export function readFileIo(name: string, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): boolean {
  const kind = WRITEBACK.get(name);
  if (kind !== undefined) writeback(kind, line, pos, ev);
  else if (/^block_rq_(?:issue|complete|requeue)$/.test(name)) blockRequest(name, line, pos, fields, ev);
  else if (name === 'io_uring_register') ioUringRegister(line, pos, ev);
  else return false;
  return true;
}

function writeback(kind: EventKind, line: string, pos: number, ev: TraceEvent): void {
  ev.begin(kind);
  const bdi = /^bdi ([^]*?)(?=: |:$|$)/.exec(line.slice(pos));
  if (bdi) [ev.textStart, ev.textEnd] = [pos + 4, pos + 4 + bdi[1]!.length];
  const rest = fieldsOf(line, bdi ? ev.textEnd + 1 : pos);
  ev.ino = number(last(rest, Key.ino)?.value ?? '0');
  ev.index = number(last(rest, Key.index)?.value ?? '-1');
  const bdiName = last(rest, Key.name);
  if (bdiName) [ev.textStart, ev.textEnd] = [bdiName.start, bdiName.stop];
  const device = /^(\d+)[:,](\d+)(?= |:|$)/.exec(line.slice(ev.textStart, ev.textEnd));
  ev.devId = device ? Number(device[1]) * 2 ** 20 + Number(device[2]) : -1;
}

function blockRequest(name: string, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): void {
  ev.begin(name === 'block_rq_issue' ? E.BlockIssue : name === 'block_rq_requeue' ? E.BlockRequeue : E.BlockComplete);
  if (/^\d/.test(line.slice(pos))) block(line.slice(pos), ev);
  else {
    // what follows `rwbs=` is the task's name, which may hold anything
    const rwbs = fields.findIndex((f) => f.key === Key.rwbs);
    const own = rwbs < 0 ? fields : fields.slice(0, rwbs + 1);
    ev.devId = number(last(own, Key.device)?.value ?? '-1');
    ev.sector = number(last(own, Key.sector)?.value ?? '-1');
    ev.nr = number(last(own, Key.nrSector)?.value ?? '0');
    ev.write = last(own, Key.rwbs)?.value.includes('W') ? 1 : 0;
  }
  if (ev.devId < 0) ev.begin(E.Other);
}

function block(payload: string, ev: TraceEvent): void {
  const m = /^(\d+)[,:](\d+)(?: +([^ ]*))?/.exec(payload);
  if (!m || !/^(?: |:|$)/.test(payload.slice(`${m[1]}.${m[2]}`.length))) return;
  ev.devId = Number(m[1]) * 2 ** 20 + Number(m[2]);
  const rest = payload.slice(`${m[1]}.${m[2]}`.length).replace(/^ */, '');
  if (/^[^ ]*/.exec(rest)![0].includes('W')) ev.write = 1;
  const tail = /^[^)]*\) *(\d+)(?:[^]\+[^](\d*))?/.exec(rest.slice(/^[^ ]*/.exec(rest)![0].length));
  if (tail) [ev.sector, ev.nr] = [Number(tail[1]), Number(tail[2] ?? 0)];
}

function ioUringRegister(line: string, pos: number, ev: TraceEvent): void {
  ev.begin(E.IoUringRegister);
  const m = /opcode (\d*)/.exec(line.slice(pos));
  if (m) {
    const rest = line.slice(pos + m.index);
    ev.val = Number(m[1]);
    ev.nr = Number(/nr_user_bufs (\d*)/.exec(rest)?.[1] ?? 0);
    const ret = /ret (-?\d*)/.exec(rest);
    if (ret) [ev.ret, ev.hasRet] = [signed(ret[1]!), 1];
  }
}
