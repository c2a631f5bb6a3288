/**
 * Commands of two buses: nvme:* (drivers/nvme/host/trace.h) and scsi:* (include/trace/events/scsi.h).
 *
 *     nvme_setup_cmd: nvme0: disk=nvme0n1, qid=1, cmdid=28928, nsid=1, flags=0x0, meta=0x0,
 *         ctrl ^                     ^ queue    ^ tag      cmd=(nvme_cmd_read slba=15944, len=1, ctrl=0x0, dsmgmt=0, reftag=0)
 *     nvme_complete_rq: nvme0: disk=nvme0n1, qid=1, cmdid=28928, res=0x0, retries=0, flags=0x0, status=0x0
 *     nvme_setup_cmd: [FAILED TO PARSE] disk=nvme0n1 ctrl_id=0 qid=1 opcode=2 flags=0 fctype=72 cid=28928 nsid=1 metadata=0
 *         cdw10=ARRAY[48, 3e, 00, 00, 00, 00, 00, 00, 01, 00, 00, 00, 00, 00, ...]
 *         slba, 8 bytes ^                             ^ blocks - 1, 2 bytes       trace-cmd, perf: they lack its helper
 *     scsi_dispatch_cmd_start: host_no=2 channel=0 id=0 lun=0 data_sgl=1 prot_sgl=0 prot_op=SCSI_PROT_NORMAL driver_tag=5
 *         scheduler_tag=12 cmnd=(READ_10 lba=2048 txlen=8 protect=0 raw=28 00 00 00 08 00 00 00 08 00)   (no tags before 6.0)
 *     scsi_dispatch_cmd_done: the same, and result=(driver=DRIVER_OK host=DID_OK message=COMMAND_COMPLETE status=SAM_STAT_GOOD)
 *
 * Of a command that is no plain read or write `nr` stays 0: its bytes are not known. Blocks are the device's own, of a size
 * that no event tells.
 */
import type {EventKind, TraceEvent} from '../../src/events/event.js';
import {ascii, decimal, find, isDigit, skipSpaces, startsWith} from '../bytes.js';
import {finishNvme, finishScsi} from './command.js';
import type {DecodeContext} from './context.js';
import {readFields, readingsOf} from './family.js';

const NVME = readingsOf('nvme');
const SCSI = readingsOf('scsi');
const NVME_NAME = ascii('nvme');
const RAW = ascii(' raw=');

export function decodeNvme(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  const pos = skipSpaces(buf, start, end);
  ctx.fields.open(buf, pos, end);
  readFields(NVME, ev, ctx, undefined);
  if (startsWith(buf, pos, end, NVME_NAME) && pos + 4 < end && isDigit(buf[pos + 4]!))
    ev.ctrl = decimal(buf, pos + 4, end);
  finishNvme(ev, ctx.command);
  ctx.readings = undefined; // no template: what `len=` means hangs on the command's name
}

export function decodeScsi(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  const pos = skipSpaces(buf, start, end);
  // sense data of a command that is done may hold anything
  const raw = find(buf, pos, end, RAW);
  ctx.fields.open(buf, pos, raw >= 0 ? raw : end);
  readFields(SCSI, ev, ctx, undefined);
  finishScsi(ev, ctx.command);
  ctx.readings = undefined; // as above
}
