/** Recordings read directly: what is refused and how, cut ones, directories, other names and pipes' stand-ins. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {gunzipSync} from 'node:zlib';
import {afterAll, describe, expect, it} from 'vitest';
import {info} from '../../src/run/info.js';
import {REPORT_RENDERERS} from '../../src/report/index.js';
import {UserError} from '../../src/io/user-error.js';
import {analyzeFiles} from '../rules/analyze-text.js';
import {traceDat, values, type WrittenFormat} from './trace-dat-writer.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-recordings-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const unpacked = (name: string): Buffer =>
  execFileSync('xz', ['-dc', path.join('sample-traces', name)], {maxBuffer: 1 << 28});
const DAT = unpacked('trace-dat/misuse-6.12-probes-big-endian.dat.xz');
const PERF = unpacked('perf-data/early-unpins-6.12.data.xz');

function file(name: string, bytes: Uint8Array): string {
  const at = path.join(dir, name);
  writeFileSync(at, bytes);
  return at;
}

async function readHeader(traces: string[]): Promise<Map<string, string>> {
  const options = {from: undefined, kernel: undefined, pageShift: undefined, vmemmap: undefined};
  const {header} = await info({traces, ...options, command: [], version: ''});
  return new Map(header.map(({name, value}) => [name, value]));
}

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await analyzeFiles([file('refused', bytes)]);
  } catch (error) {
    if (error instanceof UserError) return `${error.message}; ${error.next ?? ''}`;
    throw error;
  }
  throw new Error('was not refused');
}

describe('a recording', () => {
  it('is read to where it is cut, and nothing is certain behind', async () => {
    const whole = await analyzeFiles([file('whole.dat', DAT)]);
    const cut = await analyzeFiles([file('cut.dat', DAT.subarray(0, DAT.length - 8192))]);
    expect(cut.inputs[0]!.events).toBeLessThan(whole.inputs[0]!.events);
    expect(cut.inputs[0]!.events).toBeGreaterThan(whole.inputs[0]!.events / 2);
    expect(cut.quality.map(({id}) => id)).toContain('lost-events');
    expect(whole.quality.map(({id}) => id)).not.toContain('lost-events');
  });

  it('may be the directory that perf record makes', async () => {
    mkdirSync(path.join(dir, 'perf.dir'));
    const one = await analyzeFiles([file('perf.dir/data', PERF)]);
    const same = await analyzeFiles([path.join(dir, 'perf.dir')]);
    expect(same.findings.map(({key}) => key)).toEqual(one.findings.map(({key}) => key));
    expect(one.findings.length).toBeGreaterThan(0);
  });

  it("has the clock of its trace_clock, not the top-level buffer's that trace-cmd writes beside each instance", async () => {
    const whole = unpacked('trace-dat/empty-instance.dat.xz');
    expect(whole.toString('latin1').split('\0mono\0')).toHaveLength(3);
    const written = Buffer.from(whole.toString('latin1').replaceAll('\0mono\0', '\0perf\0'), 'latin1');
    for (const [name, bytes] of [
      ['mono.dat', whole],
      ['instance-on-mono.dat', written],
    ] as const) {
      const header = await readHeader([file(name, bytes)]);
      expect([header.get('clock'), header.get('not_read')]).toEqual(['mono', undefined]);
    }
  });

  it('may hold the text of a latency tracer, of the kernel that it names', async () => {
    const text = gunzipSync(readFileSync('sample-traces/ftrace/unpin-while-dma.txt.gz')).toString('latin1');
    const inside = file('latency.dat', traceDat([], '', [], {latency: {text, uname: 'Linux host 6.12.9-lab x86_64'}}));
    const header = await readHeader([inside]);
    expect([header.get('kernel'), header.get('machine')]).toEqual(['6.12.9-lab', 'x86_64']);
    const [found] = (await analyzeFiles([inside])).findings;
    expect([found?.rule, found?.verdict]).toEqual(['unpin-while-dma', 'sure']);
    expect(found!.evidence[0]!.text).toContain('wl-309');
  });

  it.each([
    // one sub-buffer was read between the two lines
    ['all there', 20, 50, 0],
    ['an end that was not written', 50, 30, 30],
    ['a part that is nowhere', 17, 50, 17],
  ])('has lost what the kernel counted, as far as its counts fit together: %s', async (_, read, left, missing) => {
    const free: WrittenFormat = {system: 'kmem', name: 'mm_page_free', id: 500, fields: [['unsigned long pfn', 8, 8]]};
    const records = Array.from({length: 50}, (__, i) => ({id: 500, pid: 701, payload: values.u64(0x1000 + i)}));
    const stats = `CPU: 0\nentries: ${left}\noverrun: 0\ncommit overrun: 0\ndropped events: 0\nread events: ${read}\n`;
    const counted = file('counted.dat', traceDat([free], '', records, {perPage: 10, stats}));
    const {quality} = await analyzeFiles([counted]);
    expect(quality.find(({id}) => id === 'lost-events')?.count ?? 0).toBe(missing);
  });

  it('shows its records as records', async () => {
    const report = await analyzeFiles([file('shown.data', PERF)]);
    const [first] = report.findings[0]!.evidence;
    for (const form of ['table', 'mail', 'markdown', 'html'] as const) {
      const text = [...REPORT_RENDERERS[form](report, {color: false, width: 100})].join('');
      expect(text).toMatch(/record \d+/);
      // neither where premises are proven, nor above a history
      expect(text).not.toMatch(/\blines? \d+|count +line$/m);
    }
    expect(first).toMatchObject({rendered: true, cpu: expect.any(Number) as number});
    expect(first!.text).toMatch(/^ *\S+-\d+ +\[\d{3}\] \S{5} +\d+\.\d{9}: \w+: /);
  });

  it.each([
    ['trace.dat', DAT],
    ['perf.data', PERF],
  ])('may have facts of its recorder behind it: %s', async (_, bytes) => {
    const lines = ['', '# pinscope-record: boot_id=4711', '# pinscope-record: pid_filter=1 2', ''].join('\n');
    const without = await readHeader([file('plain', bytes)]);
    const facts = await readHeader([file('facts', Buffer.concat([bytes, Buffer.from(lines)]))]);
    expect(facts.get('boot_id')).toBe('4711');
    expect(facts.get('pid_filter')).toBe('1 2');
    expect(without.get('boot_id')).toBeUndefined();
    // what else is behind it is none: not a line of other text, nor one that does not end
    for (const other of ['\n# pinscope-record: boot_id=1\nso\n', '\n# pinscope-record: boot_id=1', '\n'])
      expect((await readHeader([file('other', Buffer.concat([bytes, Buffer.from(other)]))])).get('boot_id')).toBe(
        undefined,
      );
  });

  it('is refused in words that help', async () => {
    expect(await refusal(Buffer.concat([Buffer.from('PERFFILE'), PERF.subarray(8)]))).toMatch(/version 1.*perf script/);
    // a feature that perf has not given out
    const foreign = Buffer.from(PERF);
    foreign[72 + 16] = 1;
    expect(await refusal(foreign)).toMatch(/simpleperf/);
    // the sizes that perf record writes last
    const killed = Buffer.from(PERF);
    killed.fill(0, 48, 56);
    expect(await refusal(killed)).toMatch(/killed.*SIGINT/s);
    expect(await refusal(DAT.subarray(0, 3000))).toMatch(/cannot be read/);
  });
});

describe('what a recording announces', () => {
  it.each([
    ['trace.dat', DAT],
    ['perf.data', PERF],
  ])('is certified, whether it happened or not: %s', async (_, bytes) => {
    const options = {from: undefined, kernel: undefined, pageShift: undefined, vmemmap: undefined};
    const {certificates} = await info({traces: [file('announced', bytes)], ...options, command: [], version: ''});
    expect(certificates.length).toBeGreaterThan(0);
    for (const {event, known_by} of certificates) expect([event, known_by]).toEqual([event, 'announced']);
  });
});
