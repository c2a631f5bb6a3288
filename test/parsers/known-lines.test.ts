/** Lines that are known again are read as they are the general way, in every form of text whose lines have columns. */

import * as fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import type {EventSink} from '../../src/events/event.js';
import type {OpenOptions, TraceReader} from '../../parsers/form.js';
import {FtraceReader} from '../../parsers/ftrace/index.js';
import {PerfScriptReader} from '../../parsers/perf-script/reader.js';
import {TraceCmdReader} from '../../parsers/trace-cmd/reader.js';
import {TimeBase} from '../../src/base/time.js';
import {Collector, expectSame, readWith} from './collect.js';
import {FTRACE_LINES} from './ftrace-lines.js';

type Open = (sink: EventSink, options: OpenOptions) => TraceReader;

class GeneralFtrace extends FtraceReader {
  protected override readonly names = undefined;
}
class GeneralTraceCmd extends TraceCmdReader {
  protected override readonly names = undefined;
}
class GeneralPerfScript extends PerfScriptReader {
  protected override readonly names = undefined;
}

interface Parts {
  comm: string;
  pid: string;
  cpu: string;
  flags: string;
  time: string;
  name: string;
  payload: string;
}

const LINE =
  /^ *(?<comm>.{1,16})-(?<pid>\d+) +\[(?<cpu>\d+)\] (?<flags>[.\w#]{4,6}) +(?<time>\d+\.\d{6}): (?<name>\w+): (?<payload>.*)$/;
const PARTS = FTRACE_LINES.flatMap((line) => {
  const m = LINE.exec(line);
  return m ? [{...m.groups} as unknown as Parts] : [];
});

/** As each tool prints the same event. */
const FORMS: [string, Open, Open, (p: Parts) => string][] = [
  [
    'tracefs text',
    (sink, options) => new FtraceReader(sink, options),
    (sink, options) => new GeneralFtrace(sink, options),
    ({comm, pid, cpu, flags, time, name, payload}) =>
      `${comm.padStart(16)}-${pid.padEnd(7)} [${cpu}] ${flags} ${time.padStart(12)}: ${name}: ${payload}`,
  ],
  [
    'trace-cmd report',
    (sink, options) => new TraceCmdReader(sink, options),
    (sink, options) => new GeneralTraceCmd(sink, options),
    ({comm, pid, cpu, flags, time, name, payload}) =>
      `${comm.padStart(16)}-${pid.padEnd(5)} [${cpu}] ${flags} ${time.padStart(12)}: ${`${name}:`.padEnd(20)} ${payload}`,
  ],
  [
    'perf script',
    (sink, options) => new PerfScriptReader(sink, options),
    (sink, options) => new GeneralPerfScript(sink, options),
    ({comm, pid, cpu, time, name, payload}) =>
      `${comm.padStart(16)} ${pid.padStart(7)} [${cpu}] ${time.padStart(12)}: ${`sys:${name}`.padStart(40)}: ${payload}`,
  ],
];

/** An event several times, each with other digits here and there. */
const run = fc.tuple(
  fc.constantFrom(...PARTS),
  fc.array(fc.array(fc.tuple(fc.nat(), fc.nat({max: 15})), {maxLength: 3}), {minLength: 1, maxLength: 8}),
);

function varied(payload: string, changes: readonly (readonly [number, number])[]): string {
  let text = payload;
  for (const [n, digit] of changes) {
    const at = n % (text.length + 1);
    text = text.slice(0, at) + text.slice(at).replace(/[\da-f]/, digit.toString(16));
  }
  return text;
}

describe.each(FORMS)('lines of %s that are known again', (_, quick, general, print) => {
  it('are read as alone', () => {
    fc.assert(
      fc.property(fc.array(run, {minLength: 1, maxLength: 10}), fc.constantFrom(7, 4096, 1 << 17), (runs, size) => {
        const lines = runs.flatMap(([parts, changes]) =>
          changes.map((change) => print({...parts, payload: varied(parts.payload, change)})),
        );
        const bytes = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
        expectSame(readWith(quick, bytes, [size]).seen, readWith(general, bytes, [size]).seen);
      }),
      {numRuns: 150},
    );
  });
});

describe('a long line that is known again', () => {
  it('is read to the end of its bytes and no further, wherever it is cut', () => {
    const all = (text: string): string =>
      Array.from({length: 60}, (_, i) => text + i.toString(16).padStart(3, '0')).join(',');
    const [mapped, sizes] = [all('0x1034'), all('0x1')];
    const line =
      '              wl-397     [001] ...1.    16.747030: dma_map_sg: pinbug.0 dir=TO_DEVICE nents=60/60 ents=60/60 ' +
      `dma_addrs={${mapped}} sizes={${sizes}} phys_addrs={${mapped}} attrs=`;
    for (const text of [line, line.replace(/phys_addrs.*/, `pfn=0x${'1'.repeat(1000)}`)]) {
      for (let cut = 900; cut <= text.length; cut += 7) {
        const bytes = new Uint8Array(Buffer.from(`${text}\n${text}\n${text}\n${text.slice(0, cut)}\n`));
        const read = (open: Open): unknown[] => {
          const sink = new Collector();
          open(sink, {input: 0, time: new TimeBase()}).push(bytes, bytes.length);
          return sink.seen;
        };
        expect(read((sink, options) => new FtraceReader(sink, options))).toEqual(
          read((sink, options) => new GeneralFtrace(sink, options)),
        );
      }
    }
  });
});

describe('a call chain of perf script', () => {
  it('is of the line before it, known or not', () => {
    const line = (pid: number, cpu: number, at: number, payload: string): string =>
      `         perf612     ${pid} [00${cpu}]    12.00000${at}: ${payload}\n`;
    const frame = '\tffffffff8133b2d3 __page_ref_mod+0x43 ([kernel.kallsyms])\n\n';
    const freed = 'kmem:mm_page_free: page=0x1 pfn=0x1234 order=0';
    const unread = 'gup:writeback_mark_inode_dirty: bdi 9p-1: ino=3556213 state= flags=I_DIRTY_SYNC';
    let text = '';
    for (let i = 0; i < 8; i++) text += line(101 + (i % 2), i % 2, i, i % 3 === 2 ? unread : freed) + frame;
    const bytes = Buffer.from(text);
    expectSame(
      readWith((sink, options) => new PerfScriptReader(sink, options), bytes).seen,
      readWith((sink, options) => new GeneralPerfScript(sink, options), bytes).seen,
    );
  });
});

describe('a task that is called by a number', () => {
  it('has lines like frames of a stack, where a bracket ends them', () => {
    const line = (end: string): string =>
      `        deadbeef     101 [000]    12.000001: kmem:mm_page_free: pfn=0x1234 order=0${end}`;
    const text = [line(''), line(''), line(' (x)'), line('')].join('\n');
    const bytes = Buffer.from(`${text}\n`);
    expectSame(
      readWith((sink, options) => new PerfScriptReader(sink, options), bytes).seen,
      readWith((sink, options) => new GeneralPerfScript(sink, options), bytes).seen,
    );
  });
});
