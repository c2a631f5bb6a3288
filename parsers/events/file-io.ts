/**
 * writeback:*, block:*, io_uring:* events.
 *
 *     writeback_dirty_folio: bdi 259:0: ino=12 index=0                          (ino decimal here, hex in filemap events)
 *     writeback_dirty_folio:  name=259:0 ino=12 index=0                         -R
 *     block_rq_issue: 259,0 RM 4096 () 16968 + 8 be,0,4 [wl]                    (no prio columns before 6.9)
 *     block_rq_complete: 259,0 WS () 2048 + 8 [0]
 *     block_rq_issue:        dev=271581184 sector=16968 nr_sector=8 bytes=4096 ioprio=16388 rwbs=RM comm=wl cmd=   -R
 *     io_uring_register: ring 00000000341eb258, opcode 0, nr_user_files 0, nr_user_bufs 2, ret 0
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {
  ascii,
  COLON,
  decimal,
  find,
  isDigit,
  PLUS,
  RPAREN,
  SPACE,
  signed,
  skipDigits,
  skipSpaces,
  startsWith,
} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {readFields, readingsOf} from './family.js';
import {deviceNumber} from './memory.js';

const WRITEBACK = readingsOf('writeback');
const BLOCK = readingsOf('block');
const IO_URING = readingsOf('ioUring');
const BDI = ascii('bdi ');

export function decodeWriteback(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  let pos = skipSpaces(buf, start, end);
  if (startsWith(buf, pos, end, BDI)) {
    // the name ends at `: ino=`; names such as `8:0` have colons of their own
    pos += 4;
    let stop = pos;
    while (stop < end && !(buf[stop] === COLON && (stop + 1 >= end || buf[stop + 1] === SPACE))) stop++;
    ev.textStart = pos;
    ev.textEnd = stop;
    pos = stop + 1;
  }
  ctx.fields.open(buf, pos, end);
  readFields(WRITEBACK, ev, ctx, undefined);
  ev.devId = deviceNumber(buf, ev.textStart, ev.textEnd);
}

const LETTER_W = 87;

export function decodeBlock(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  const pos = skipSpaces(buf, start, end);
  if (isDigit(buf[pos]!)) blockText(buf, pos, end, ev);
  else {
    ctx.fields.open(buf, pos, end);
    readFields(BLOCK, ev, ctx, undefined);
  }
  if (ev.devId < 0) ev.kind = EventKind.Other;
}

/** `259,0 RM 4096 () 16968 + 8 be,0,4 [wl]` */
function blockText(buf: Uint8Array, start: number, end: number, ev: TraceEvent): void {
  ev.devId = deviceNumber(buf, start, end);
  let pos = skipDigits(buf, skipDigits(buf, start, end) + 1, end);
  pos = skipSpaces(buf, pos, end);
  while (pos < end && buf[pos] !== SPACE) if (buf[pos++] === LETTER_W) ev.write = 1;
  // a SCSI command's bytes may stand between the brackets
  while (pos < end && buf[pos] !== RPAREN) pos++;
  pos = skipSpaces(buf, pos + 1, end);
  const sector = pos;
  pos = skipDigits(buf, pos, end);
  if (pos === sector) return;
  ev.sector = decimal(buf, sector, pos);
  if (pos + 3 <= end && buf[pos + 1] === PLUS) ev.nr = decimal(buf, pos + 3, end);
}

const OPCODE = ascii('opcode ');
const BUFS = ascii('nr_user_bufs ');
const RET = ascii('ret ');

export function decodeIoUringRegister(
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(EventKind.IoUringRegister);
  const opcode = find(buf, start, end, OPCODE);
  if (opcode >= 0) {
    ev.val = decimal(buf, opcode + OPCODE.length, end);
    const bufs = find(buf, opcode, end, BUFS);
    if (bufs >= 0) ev.nr = decimal(buf, bufs + BUFS.length, end);
    const ret = find(buf, opcode, end, RET);
    if (ret >= 0) {
      ev.ret = signed(buf, ret + RET.length, end);
      ev.hasRet = 1;
    }
    return;
  }
  ctx.fields.open(buf, start, end);
  readFields(IO_URING, ev, ctx, undefined);
}
