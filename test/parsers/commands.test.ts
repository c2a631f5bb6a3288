/** Commands of NVMe and SCSI, and bounces: the same from the kernel's text, from tools that cannot print them, and from records. */
import {describe, expect, it} from 'vitest';
import {ftrace} from '../../parsers/ftrace/index.js';
import {tracepointDecoder} from '../../parsers/records/decoder.js';
import {EventFormat} from '../../parsers/records/format.js';
import {RECORDED} from '../../parsers/records/kinds.js';
import {Piece} from '../../parsers/records/piece.js';
import {TraceEvent} from '../../src/events/event.js';
import {EventKind, FAMILY_OF} from '../../src/events/kinds.js';
import {read, type Seen} from './collect.js';

const NAMES = Object.fromEntries(Object.entries(EventKind).map(([name, kind]) => [kind, name]));

function text(payload: string): Seen | undefined {
  return read(ftrace, `            fio-1234    [003] d..2.  1234.569000: ${payload}\n`).seen[0];
}

/** What a record of `title` decodes to; `fields` as a format file declares them, each with its bytes. */
function record(title: string, fields: readonly (readonly [string, readonly number[], string?])[]): Seen {
  let at = 8;
  const lines: string[] = [];
  const bytes: number[] = Array.from({length: 8}, () => 0);
  const behind: number[] = [];
  const size = 8 + fields.reduce((sum, [, value]) => sum + value.length, 0);
  for (const [declaration, value, string] of fields) {
    lines.push(`\tfield:${declaration};\toffset:${at};\tsize:${value.length};\tsigned:0;`);
    const place = string === undefined ? value : le((string.length + 1) * 2 ** 16 + size + behind.length, 4);
    if (string !== undefined) behind.push(...Buffer.from(`${string}\0`));
    bytes.push(...place);
    at += value.length;
  }
  const [system, name] = title.split(':') as [string, string];
  const format = new EventFormat(system, `name: ${name}\nID: 1\nformat:\n${lines.join('\n')}\n`, 8);
  const kind = RECORDED.get(title)!;
  const ev = new TraceEvent();
  const piece = new Piece(true, 1024);
  const all = [...bytes, ...behind];
  piece.bytes.set(all);
  piece.length = all.length;
  ev.buf = piece.bytes;
  expect(tracepointDecoder(kind, format, undefined).decode(ev, piece, 0, all.length)).toBe(true);
  const seen: Seen = {kind: NAMES[ev.kind]};
  for (const field of FAMILY_OF[ev.kind]!.fields) seen[field] = ev[field];
  if (FAMILY_OF[ev.kind]!.named === 'device')
    seen['device'] = Buffer.from(ev.buf).toString('latin1', ev.deviceStart, ev.deviceEnd);
  return seen;
}

const le = (value: number, n: number): number[] =>
  Array.from({length: n}, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);
const listed = (bytes: readonly number[]): string =>
  `ARRAY[${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(', ')}]`;

describe('a command of NVMe', () => {
  const WRITE = {kind: 'NvmeStart', ctrl: 0, queue: 1, tag: 45312, sector: 16092, nr: 32, write: 1};
  const words = [...le(16092, 8), ...le(31, 2), ...Array<number>(14).fill(0)];

  it('is read as the kernel prints it', () => {
    expect(
      text(
        'nvme_setup_cmd: nvme0: disk=nvme0n1, qid=1, cmdid=45312, nsid=1, flags=0x0, meta=0x0, cmd=(nvme_cmd_write slba=16092, len=31, ctrl=0x0, dsmgmt=0, reftag=0)',
      ),
    ).toMatchObject(WRITE);
  });

  it('is read where a tool lacks the kernel’s helper for it', () => {
    expect(
      text(
        `nvme_setup_cmd: [FAILED TO PARSE] disk=nvme0n1 ctrl_id=0 qid=1 opcode=1 flags=0 fctype=0 cid=45312 nsid=1 metadata=0 cdw10=${listed(words)}`,
      ),
    ).toMatchObject(WRITE);
  });

  it('is read as a record', () => {
    const disk = [...Buffer.from('nvme0n1'), ...Array<number>(25).fill(0)];
    const fields = (opcode: number, queue = 1): [string, number[]][] => [
      ['char disk[32]', disk],
      ['int ctrl_id', le(0, 4)],
      ['int qid', le(queue, 4)],
      ['u8 opcode', [opcode]],
      ['u16 cid', le(45312, 2)],
      ['u8 cdw10[24]', words],
    ];
    expect(record('nvme:nvme_setup_cmd', fields(1))).toMatchObject(WRITE);
    expect(record('nvme:nvme_setup_cmd', fields(2))).toMatchObject({...WRITE, write: 0});
    // write zeroes; what is 1 among the commands for administration
    expect(record('nvme:nvme_setup_cmd', fields(8))).toMatchObject({nr: 0, write: 0});
    expect(record('nvme:nvme_setup_cmd', fields(1, 0))).toMatchObject({nr: 0, write: 0});
  });

  it('names its completion', () => {
    expect(
      text('nvme_complete_rq: nvme3: disk=nvme3n1, qid=2, cmdid=45312, res=0x0, retries=0, flags=0x0, status=0x4004'),
    ).toMatchObject({kind: 'NvmeDone', ctrl: 3, queue: 2, tag: 45312});
    expect(
      record('nvme:nvme_complete_rq', [
        ['int ctrl_id', le(3, 4)],
        ['int qid', le(2, 4)],
        ['int cid', le(45312, 4)],
      ]),
    ).toMatchObject({kind: 'NvmeDone', ctrl: 3, queue: 2, tag: 45312});
  });

  it('of others than reads and writes has no bytes that are known', () => {
    for (const cmd of ['nvme_cmd_write_zeroes slba=8, len=7, ctrl=0x0', 'nvme_admin_identify cns=1, ctrlid=0', ''])
      expect(text(`nvme_setup_cmd: nvme0: qid=1, cmdid=1, nsid=1, cmd=(${cmd})`)).toMatchObject({nr: 0, write: 0});
  });
});

describe('a command of SCSI', () => {
  const READ = {
    kind: 'ScsiStart',
    ctrl: 2,
    channel: 0,
    target: 1,
    lun: 3,
    tag: 5,
    sector: 2048,
    nr: 8,
    write: 0,
  };

  it('is read as the kernel prints it', () => {
    const payload =
      'host_no=2 channel=0 id=1 lun=3 data_sgl=1 prot_sgl=0 prot_op=SCSI_PROT_NORMAL driver_tag=5 scheduler_tag=12 cmnd=(READ_10 lba=2048 txlen=8 protect=0 raw=28 00 00 00 08 00 00 00 08 00)';
    expect(text(`scsi_dispatch_cmd_start: ${payload}`)).toMatchObject(READ);
    expect(
      text(`scsi_dispatch_cmd_done: ${payload} result=(driver=DRIVER_OK lba=9 host=DID_OK status=SAM_STAT_GOOD)`),
    ).toMatchObject({...READ, kind: 'ScsiDone'});
  });

  it('has no tag before 6.0', () => {
    expect(
      text(
        'scsi_dispatch_cmd_start: host_no=2 channel=0 id=1 lun=3 data_sgl=1 prot_sgl=0 prot_op=SCSI_PROT_NORMAL cmnd=(WRITE_16 lba=2048 txlen=8 protect=0 raw=8a)',
      ),
    ).toMatchObject({...READ, tag: -1, write: 1});
  });

  it.each([
    ['READ_6', [0x08, 0x01, 0x02, 0x03, 0, 0], {sector: 0x10203, nr: 256, write: 0}],
    ['WRITE_10', [0x2a, 0, 0, 0, 8, 0, 0, 0, 8, 0], {sector: 2048, nr: 8, write: 1}],
    ['READ_12', [0xa8, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0, 0], {sector: 2048, nr: 65536, write: 0}],
    ['WRITE_16', [0x8a, 0, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 0, 8, 0, 0], {sector: 2 ** 32 + 2048, nr: 8, write: 1}],
    ['WRITE_SAME', [0x41, 0, 0, 0, 8, 0, 0, 0, 8, 0], {nr: 0, write: 0}],
    ['a READ_10 that is cut off', [0x28, 0, 0, 0, 8], {nr: 0, write: 0}],
  ])('is read from its bytes: %s', (_name, bytes, expected) => {
    expect(
      text(
        `scsi_dispatch_cmd_start: host_no=2 channel=0 id=1 lun=3 opcode=40 cmd_len=${bytes.length} cmnd=${listed(bytes)}`,
      ),
    ).toMatchObject({kind: 'ScsiStart', ...expected});
    expect(
      record('scsi:scsi_dispatch_cmd_start', [
        ['unsigned int host_no', le(2, 4)],
        ['unsigned int id', le(1, 4)],
        ['unsigned int lun', le(3, 4)],
        [`unsigned char cmnd[${bytes.length}]`, bytes],
      ]),
    ).toMatchObject({kind: 'ScsiStart', ctrl: 2, target: 1, lun: 3, ...expected});
  });
});

describe('a bounce', () => {
  const SEEN = {kind: 'Bounced', device: '0000:00:04.0', dmaAddr: 0x12da00000, size: 4096};

  it('is read as the kernel prints it, from its fields, and as a record', () => {
    expect(
      text('swiotlb_bounced: dev_name: 0000:00:04.0 dma_mask=ffffffff dev_addr=12da00000 size=4096 NORMAL'),
    ).toMatchObject(SEEN);
    expect(
      text('swiotlb_bounced: dev_name=0000:00:04.0 dma_mask=0xffffffff dev_addr=0x12da00000 size=4096 force=0'),
    ).toMatchObject(SEEN);
    expect(
      record('swiotlb:swiotlb_bounced', [
        ['__data_loc char[] dev_name', le(0, 4), '0000:00:04.0'],
        ['u64 dma_mask', le(0xffffffff, 8)],
        ['dma_addr_t dev_addr', le(0x12da00000, 8)],
        ['size_t size', le(4096, 8)],
      ]),
    ).toMatchObject(SEEN);
  });
});

it('a request that is given back is told as its completion is; that it failed is told beside its completion', () => {
  const rest = '259,0 WS () 2048 + 8 be,0,4 [0]';
  const seen = {devId: 259 * 2 ** 20, sector: 2048, nr: 8, write: 1};
  expect(text(`block_rq_requeue: ${rest}`)).toMatchObject({kind: 'BlockRequeue', ...seen});
  expect(text(`block_rq_complete: ${rest}`)).toMatchObject({kind: 'BlockComplete', ...seen});
  expect(text(`block_rq_error: ${rest}`)).toBeUndefined();
});
