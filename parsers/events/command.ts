/** What the commands of NVMe and SCSI do with which blocks, by their names and by their bytes: for commands.ts and for records. */
import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {ascii, LBRACKET, startsWith} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {Elements} from './fields.js';

/** What a command does with the blocks it names. */
export const Command = {other: 0, read: 1, write: 2} as const;
export type Command = (typeof Command)[keyof typeof Command];

/** By name. nvme_cmd_write_zeroes, WRITE_SAME and their like name blocks too, and no data of their length. */
const NAMED: readonly (readonly [name: Uint8Array, Command])[] = [
  [ascii('nvme_cmd_read'), Command.read],
  [ascii('nvme_cmd_write'), Command.write],
  [ascii('nvme_cmd_zone_append'), Command.write],
  ...['6', '10', '12', '16'].flatMap((bytes): [Uint8Array, Command][] => [
    [ascii(`READ_${bytes}`), Command.read],
    [ascii(`WRITE_${bytes}`), Command.write],
  ]),
];

/** enum nvme_opcode (include/linux/nvme.h), of queues other than that for administration */
export function commandOfOpcode(opcode: number): Command {
  return opcode === 2 ? Command.read : opcode === 1 || opcode === 0x7d ? Command.write : Command.other;
}

/** What follows from the fields together; `command`: what its name says, -1 where it has none. */
export function finishNvme(ev: TraceEvent, command: number): void {
  if (ev.ctrl < 0 || ev.tag < 0) {
    ev.begin(EventKind.Other);
    return;
  }
  if (ev.kind !== EventKind.NvmeStart) return;
  const does = command >= 0 ? command : ev.queue > 0 ? commandOfOpcode(ev.opcode) : Command.other;
  ev.nr = does === Command.other || ev.sector < 0 ? 0 : ev.nr + 1;
  ev.write = does === Command.write ? 1 : 0;
}

/** The same, of SCSI. */
export function finishScsi(ev: TraceEvent, command: number): void {
  if (ev.ctrl < 0) {
    ev.begin(EventKind.Other);
    return;
  }
  if (command <= Command.other || ev.sector < 0) ev.nr = 0;
  ev.write = command === Command.write ? 1 : 0;
}

const elements = new Elements();
const bytes = new Uint8Array(32);

/** A command by name, `(READ_10`; of SCSI the bytes of one: then its blocks too. Answers a Command. */
export function commandIn(ev: TraceEvent, ctx: DecodeContext): Command {
  const {fields} = ctx;
  const {buf, start, stop} = fields;
  if (buf[start - 1] === LBRACKET) {
    elements.open(fields, 1);
    let n = 0;
    while (n < bytes.length && elements.next()) bytes[n++] = elements.value;
    return commandOfBytes(ev, bytes, 0, n);
  }
  const length = stop - start;
  const named = NAMED.find(([name]) => name.length === length && startsWith(buf, start, stop, name));
  return named?.[1] ?? Command.other;
}

/** Reads and writes of SCSI by operation code: bytes of the block, where the first block and their number lie, and of how many bytes. */
const SCSI_BLOCKS: ReadonlyMap<number, readonly [Command, number, number, number, number, number]> = new Map([
  [0x08, [Command.read, 6, 1, 3, 4, 1]],
  [0x0a, [Command.write, 6, 1, 3, 4, 1]],
  [0x28, [Command.read, 10, 2, 4, 7, 2]],
  [0x2a, [Command.write, 10, 2, 4, 7, 2]],
  [0xa8, [Command.read, 12, 2, 4, 6, 4]],
  [0xaa, [Command.write, 12, 2, 4, 6, 4]],
  [0x88, [Command.read, 16, 2, 8, 10, 4]],
  [0x8a, [Command.write, 16, 2, 8, 10, 4]],
]);

/** A command descriptor block of SCSI (include/scsi/scsi_proto.h): numbers in it are big-endian. */
export function commandOfBytes(ev: TraceEvent, buf: Uint8Array, start: number, end: number): Command {
  const number = (at: number, n: number): number => {
    let value = 0;
    for (let i = start + at; i < start + at + n; i++) value = value * 256 + buf[i]!;
    return value;
  };
  const layout = start < end ? SCSI_BLOCKS.get(buf[start]!) : undefined;
  if (layout === undefined || end - start < layout[1]) return Command.other;
  const [command, length, sectorAt, sectorBytes, nrAt, nrBytes] = layout;
  const short = length === 6;
  // of 21 bits, and 0 is 256 blocks, in the oldest
  ev.sector = short ? number(sectorAt, sectorBytes) % 2 ** 21 : number(sectorAt, sectorBytes);
  ev.nr = short ? number(nrAt, nrBytes) || 256 : number(nrAt, nrBytes);
  return command;
}

/** cdw10 to cdw15 of an NVMe command as bytes: first block, and one less than the number of blocks. */
export function wordsOfCommand(ev: TraceEvent, ctx: DecodeContext): void {
  elements.open(ctx.fields, 8);
  if (!elements.next()) return;
  ev.sector = elements.value;
  if (elements.next()) ev.nr = elements.lo % 2 ** 16;
}
