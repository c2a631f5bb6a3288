import {beforeAll, describe, expect, inject, it} from 'vitest';
import type {InfoReport} from '../../src/results/info.js';
import {against, json, linesOf, pinscope, sample} from './pinscope.js';

beforeAll(() => expect(inject('buildFailure')).toBe(''));

/** Events by name, counted in the text itself. */
function counted(name: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of linesOf(name)) {
    const event = /\d+\.\d{6}: (\w+): /.exec(line)?.[1];
    if (event !== undefined) counts[event] = (counts[event] ?? 0) + 1;
  }
  return counts;
}

describe('pinscope info', () => {
  it('counts the events that are in the trace', () => {
    const info = json<InfoReport>('info', sample('ftrace/unpin-while-dma'));
    expect(Object.fromEntries(info.events.map(({name, count}) => [name, count]))).toEqual(
      counted('ftrace/unpin-while-dma'),
    );
    expect(info.inputs[0]).toMatchObject({format: 'ftrace', compression: 'gzip', unrecognised: {count: 0}});
    expect(info.rules.find((rule) => rule.id === 'unpin-while-dma')?.status).toBe('ran');
    const maps = counted('ftrace/unpin-while-dma')['dma_map_page'];
    expect(info.devices).toEqual([{name: 'pinbug.0', maps, unmaps: maps, never_unmaps: false}]);
  });

  it.each(['ftrace/unpin-while-dma', 'ftrace/counting-clock', 'ftrace/lost-events', 'ftrace/iommu'])(
    'keeps to its schema on %s',
    (name) => expect(against('pinscope.info.1.json', json('info', sample(name)))).toBe(''),
  );

  it('says what is certified: everywhere where the recording announces it, else where it was seen', () => {
    const announced = json<InfoReport>('info', sample('ftrace/misuse-6.12-arm64-16k'));
    const grab = announced.certificates.find(({event}) => event === 'try_grab_folio_fast');
    expect(grab).toMatchObject({known_by: 'announced', never_on: [], doubts: []});
    const name = 'ftrace/unpin-while-dma';
    const seen = json<InfoReport>('info', sample(name)).certificates.find(({event}) => event === 'dma_map_page');
    const lines = linesOf(name).filter((line) => line.includes(' dma_map_page: '));
    const times = lines.map((line) => / (\d+)\.(\d{6}): /.exec(line)!.slice(1).join('') + '000');
    const cpus = new Set(lines.map((line) => Number(/\[(\d{3})\]/.exec(line)![1])));
    expect(seen).toMatchObject({known_by: 'sight', count: lines.length});
    expect(new Set(seen!.cpus.map(({cpu}) => cpu))).toEqual(cpus);
    expect(seen!.cpus.map(({start_ns}) => start_ns)).toContain(times[0]);
    expect(seen!.cpus.map(({end_ns}) => end_ns)).toContain(times.at(-1));
    const {stdout} = pinscope(['info', sample(name)]);
    expect(stdout).toMatch(/dma_map_page +by sight: CPU/);
  });

  it('can be mailed: no folders, no line too long, ASCII', () => {
    const {stdout} = pinscope(['info', '--to', 'mail', sample('ftrace/lost-events')]);
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(75);
    expect(stdout).not.toContain('sample-traces/');
    expect(stdout).toContain('sha256');
    expect(pinscope(['info', '--to', 'markdown', sample('ftrace/lost-events')]).stdout).toMatch(/^## pinscope info: /);
  });

  it('spans each CPU from its first event to its last', () => {
    const name = 'ftrace/lost-events';
    const info = json<InfoReport>('info', sample(name));
    for (const {cpu, start_ns, end_ns} of info.cpus) {
      const times = linesOf(name).flatMap((line) => {
        const match = /\[(\d{3})\].*? (\d+)\.(\d{6}): /.exec(line);
        return match !== null && Number(match[1]) === cpu ? [`${match[2]}${match[3]}000`] : [];
      });
      expect(start_ns).toBe(times[0]);
      expect(end_ns).toBe(times.at(-1));
    }
    expect(info.cpus.map((cpu) => cpu.cpu)).toEqual([0, 1]);
  });

  it('says where events were lost, by CPU and time', () => {
    const name = 'ftrace/lost-events';
    const lines = linesOf(name);
    const at = lines.findIndex((line) => line.startsWith('CPU:1 [LOST 3438 EVENTS]'));
    const info = json<InfoReport>('info', sample(name));
    const loss = info.losses.find((span) => span.line === at + 1);
    expect(loss).toMatchObject({cpu: 1});
    const before = lines.slice(0, at).findLast((line) => line.includes(' [001] '));
    expect(before).toContain(` ${Number(loss?.start_ns) / 1e9}`);
    expect(info.cpus.find((cpu) => cpu.cpu === 1)?.lost).toBe(3438);
    expect(pinscope(['info', '--strict', sample(name)]).status).toBe(3);
  });

  it('says how pages are named, and where vmemmap is', () => {
    const {identity} = json<InfoReport>('info', sample('ftrace/unpin-while-dma'));
    expect(identity.names).toEqual(expect.arrayContaining(['PFN', 'pointers to struct page']));
    expect(identity.vmemmap_base).toBe('0xffffea0000000000');
    expect(identity.confirmed).toBeGreaterThan(0);
    expect(identity.contradicted).toBe(0);
    const given = json<InfoReport>('info', '--vmemmap', '0xffffea0000000000', sample('ftrace/unpin-while-dma'));
    expect(given.identity.known_by).toContain('--vmemmap');
  });

  it('says what to record for the rules that cannot run', () => {
    const info = json<InfoReport>('info', sample('ftrace/misuse-6.12-probes'));
    const status = Object.fromEntries(info.rules.map((rule) => [rule.id, rule.status]));
    expect(status['put-on-pin']).toBe('not-run');
    expect(info.record.find((item) => item.need === 'puts')?.for_rules).toContain('put-on-pin');
    const {stdout} = pinscope(['info', sample('ftrace/misuse-6.12-probes')]);
    expect(stdout).toMatch(/^ {2}put-on-pin +cannot run$/m);
    expect(stdout).toContain('What to record for the rest');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it.each([
    [
      'of other events',
      '     sh-1     [000] ..... 5.000001: sched_waking: comm=a pid=1 prio=120\n',
      /^No event of this trace is about pages \(they are sched_waking\), so nothing can be judged; .*pinscope record/,
    ],
    [
      'of allocations alone',
      '     sh-1     [000] ..... 5.000001: mm_page_free: page=0 pfn=0x4a10 order=0\n',
      /^1 event of this trace names a page, but none tells of references/,
    ],
    [
      'that is empty',
      '# tracer: nop\n#\n# entries-in-buffer/entries-written: 0/0   #P:4\n#\n',
      /^The buffer of this trace was empty, .*were events enabled\?/,
    ],
    [
      'of an empty buffer in a log',
      '[  1.0] a\n[  2.0] Dumping ftrace buffer:\n[  3.0]    (ftrace buffer empty)\n',
      /^The kernel's ftrace buffer was empty when it was dumped; .*ftrace_dump_on_oops/,
    ],
    [
      'that a log lacks',
      '[  1.0] a\n[  2.0] b\n[  3.0] c\n',
      /^There is no ftrace dump in this log; .*ftrace_dump_on_oops/,
    ],
    [
      'of a mail',
      'From: a@b.c\nSubject: x\n\nsh-1     [000] ..... 5.000001: sched_waking: comm=a\n',
      /^No event of this trace is about pages/,
    ],
  ])('answers first, in one sentence, for a trace %s', (_name, text, sentence) => {
    const told = pinscope(['info', '-'], text);
    expect(told.stdout.split('\n\n')[0]!.replace(/\s+/g, ' ')).toMatch(sentence);
    const judged = pinscope(['analyze', '-'], text);
    expect(judged.status).toBe(2);
    expect(judged.stderr.replace(/^pinscope: standard input: /, '')).toMatch(sentence);
  });

  it('shows lines that it does not understand, made safe', () => {
    const [head = '', ...rest] = linesOf('ftrace/unpin-while-dma');
    const text = [head, '\u001b[31mnot a line of any trace', ...rest].join('\n');
    const {status, stdout} = pinscope(['info', '-'], text);
    expect(status).toBe(0);
    expect(stdout).toContain('1 line not understood\n');
    expect(stdout).toContain('line 2: \\x1b[31mnot a line of any trace');
    expect(stdout).not.toContain('\u001b');
  });

  it('names devices that are never seen to unmap', () => {
    const lines = linesOf('ftrace/unpin-while-dma').filter((line) => !line.includes(' dma_unmap_page: '));
    const {stdout} = pinscope(['info', '-'], lines.join('\n'));
    expect(stdout).toMatch(/never unmap +pinbug\.0/);
  });
});
