/** Commands of NVMe and SCSI, for the slow reader. */
import {EventKind, type TraceEvent} from '../../../src/events/event.js';
import {Key} from '../../events/keys.js';
import {elements, type Field, fieldsOf, last, num, number} from './values.js';

const E = EventKind;

/** Reads a command's begin or end; false where `name` is neither. */
export function readCommand(
  name: string,
  line: string,
  pos: number,
  fields: readonly Field[],
  ev: TraceEvent,
): boolean {
  if (name === 'nvme_setup_cmd' || name === 'nvme_complete_rq') nvme(name, line, pos, fields, ev);
  else if (name === 'scsi_dispatch_cmd_start' || name === 'scsi_dispatch_cmd_done') scsi(name, line, pos, fields, ev);
  else return false;
  return true;
}

function nvme(name: string, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): void {
  const numbered = /^nvme(\d+)/.exec(line.slice(pos));
  const ctrl = numbered ? Number(numbered[1]) : num(fields, Key.ctrlId, -1);
  const tag = num(fields, Key.cid, -1);
  if (ctrl < 0 || tag < 0) return;
  ev.begin(name === 'nvme_setup_cmd' ? E.NvmeStart : E.NvmeDone);
  [ev.ctrl, ev.queue, ev.tag, ev.opcode] = [ctrl, num(fields, Key.qid, 0), tag, num(fields, Key.opcode, -1)];
  // those that are there come in this order
  for (const field of fields) {
    if (field.key === Key.slba) ev.sector = number(field.value);
    else if (field.key === Key.size) ev.nr = number(field.value);
    else if (field.key === Key.cdw10) {
      const words = elements(field, 8);
      if (words.length > 0) ev.sector = Number(words[0]);
      if (words.length > 1) ev.nr = Number(words[1]! & 0xffffn);
    }
  }
  if (name === 'nvme_setup_cmd') {
    const cmd = last(fields, Key.cmd);
    const reads = cmd ? cmd.value === 'nvme_cmd_read' : ev.queue > 0 && ev.opcode === 2;
    const writes = cmd
      ? cmd.value === 'nvme_cmd_write' || cmd.value === 'nvme_cmd_zone_append'
      : ev.queue > 0 && (ev.opcode === 1 || ev.opcode === 0x7d);
    ev.nr = (reads || writes) && ev.sector >= 0 ? ev.nr + 1 : 0;
    ev.write = writes ? 1 : 0;
  }
}

function scsi(name: string, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): void {
  const raw = line.indexOf(' raw=', pos);
  const own = raw < 0 ? fields : fieldsOf(line.slice(0, raw), pos);
  if (num(own, Key.hostNo, -1) < 0) return;
  ev.begin(name === 'scsi_dispatch_cmd_start' ? E.ScsiStart : E.ScsiDone);
  ev.ctrl = num(own, Key.hostNo, -1);
  [ev.channel, ev.target, ev.lun] = [num(own, Key.channel, 0), num(own, Key.id, 0), num(own, Key.lun, 0)];
  ev.tag = num(own, Key.driverTag, -1);
  [ev.sector, ev.nr] = [num(own, Key.lba, -1), num(own, Key.txlen, 0)];
  const cmnd = last(own, Key.cmnd);
  const does =
    cmnd?.shape === 'A' ? descriptor(cmnd, ev) : /^(READ|WRITE)_(?:6|10|12|16)$/.exec(cmnd?.value ?? '')?.[1];
  if (does === undefined || ev.sector < 0) ev.nr = 0;
  ev.write = does === 'WRITE' ? 1 : 0;
}

/** By command: where its first block and their number are, and how many bytes it has. */
const DESCRIPTORS: Record<number, readonly [does: string, block: number, width: number, nr: number, width: number]> = {
  0x08: ['READ', 1, 3, 4, 1],
  0x0a: ['WRITE', 1, 3, 4, 1],
  0x28: ['READ', 2, 4, 7, 2],
  0x2a: ['WRITE', 2, 4, 7, 2],
  0xa8: ['READ', 2, 4, 6, 4],
  0xaa: ['WRITE', 2, 4, 6, 4],
  0x88: ['READ', 2, 8, 10, 4],
  0x8a: ['WRITE', 2, 8, 10, 4],
};
const DESCRIPTOR_BYTES: Record<number, number> = {0: 6, 1: 10, 5: 12, 4: 16};

function descriptor(field: Field, ev: TraceEvent): string | undefined {
  const bytes = elements(field, 1).map(Number);
  const known = DESCRIPTORS[bytes[0] ?? -1];
  if (known === undefined || bytes.length < DESCRIPTOR_BYTES[bytes[0]! >> 5]!) return undefined;
  const [does, block, width, nr, wide] = known;
  const big = (at: number, n: number): number => bytes.slice(at, at + n).reduce((sum, b) => sum * 256 + b, 0);
  ev.sector = width === 3 ? big(block, width) % 2 ** 21 : big(block, width);
  ev.nr = big(nr, wide) || (width === 3 ? 256 : 0);
  return does;
}
