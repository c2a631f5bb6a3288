/** Files that are not in order of time, or not whole: read as if they were, or told. */
import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {describe, expect, it} from 'vitest';
import {analyzeText, told} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const text = gunzipSync(readFileSync('sample-traces/ftrace/misuse-6.12-page_ref.txt.gz')).toString('latin1');
const lines = text.split('\n').filter((line) => line !== '');
const head = lines.filter((line) => line.startsWith('#'));
const events = lines.filter((line) => !line.startsWith('#'));
const file = (...parts: string[][]): string => [...head, ...parts.flat()].join('\n') + '\n';
const cpu = (n: number): string[] => events.filter((line) => line.includes(` [00${n}] `));

describe('a file of ftrace text', () => {
  it('tells the same when it was printed CPU by CPU', async () => {
    const whole = await analyzeText(file(events));
    const parts = await analyzeText(file(cpu(1), cpu(0)));
    expect(told(parts)).toEqual(told(whole));
    expect(told(whole).some((finding) => finding.includes('error sure'))).toBe(true);
  });

  it('tells the same when it holds two snapshots that overlap', async () => {
    const third = Math.floor(events.length / 3);
    const twice = await analyzeText(file(events.slice(0, 2 * third), events.slice(third)));
    expect(told(twice)).toEqual(told(await analyzeText(file(events))));
  });

  it('is held against its own header where another is read with it', async () => {
    const counted = (part: string[], written = part.length): string =>
      `# tracer: nop\n#\n# entries-in-buffer/entries-written: ${part.length}/${written}   #P:2\n${part.join('\n')}\n`;
    const whole = await analyzeText(file(events));
    const both = await analyzeText([counted(cpu(0)), counted(cpu(1))]);
    expect(told(both)).toEqual(told(whole));
    expect(both.quality).toEqual(whole.quality);
    const begun = await analyzeText([counted(cpu(0), 10_000), counted(cpu(1))]);
    expect(begun.quality).toContainEqual(
      expect.objectContaining({id: 'overwritten-start', count: 10_000 - cpu(0).length}),
    );
    const short = await analyzeText([counted(cpu(0)), counted(cpu(1)).replace(/^.*page_ref_mod.*\n/m, '')]);
    expect(short.quality).toContainEqual(expect.objectContaining({id: 'missing-entries', count: 1}));
  });

  it('of one CPU has a header that counts those of all', async () => {
    const whole = await analyzeText(file(events));
    const parts = [cpu(0), cpu(1)].map((part) =>
      [
        `# tracer: nop`,
        `# entries-in-buffer/entries-written: ${events.length}/${events.length}   #P:2`,
        ...part,
        '',
      ].join('\n'),
    );
    expect(told(await analyzeText(parts))).toEqual(told(whole));
    expect((await analyzeText(parts.join(''))).quality.map(({id}) => id)).toEqual(['out-of-order']);
    const one = await analyzeText(parts[0]!);
    expect(one.quality).toContainEqual(expect.objectContaining({id: 'missing-entries', count: cpu(1).length}));
  });

  it('concludes nothing from silence where its header counts more entries than it has', async () => {
    const some = events.filter((_, i) => i % 50 !== 7);
    const report = await analyzeText(file(some));
    expect(report.quality.map((q) => q.id)).toContain('missing-entries');
    const early = report.findings.filter((f) => f.rule === 'unpin-while-dma');
    expect(early.length).toBeGreaterThan(0);
    expect(early.filter((f) => f.verdict === 'sure')).toEqual([]);
  });
});

it('output of bpftrace is put into order however much of one CPU it prints before the other', async () => {
  const line = (t: number, cpu: number, event: string): string =>
    `${60_000_000_000 + t * 10_000} cpu=${cpu} pid=${500 + cpu} tid=${500 + cpu} comm=work ${event}\n`;
  const of = (cpu: number, n: number): string =>
    Array.from({length: n}, (_, i) =>
      line(i, cpu, `mm_page_alloc pfn=0x${(0x10000 * (cpu + 1) + i).toString(16)} order=0`),
    ).join('');
  for (const n of [1000, 20_000]) {
    const late = `${of(1, n)}${of(0, 50)}`;
    const {quality} = await analyzeText(late);
    expect(quality.filter(({id}) => /late|order/.test(id)).map(({id}) => id)).toEqual(['out-of-order']);
  }
});

describe('two recordings, one behind the other in a file', () => {
  const P = 0x2fb0;
  /** Pinned in the first, of which the unpin is not there, and written back in the second: another page, or later. */
  function recordings(form: (trace: string, again: boolean) => string, later_us: number): string {
    const a = new SmallKernel();
    a.file(P);
    a.pin(P, {write: true});
    const b = new SmallKernel({from_us: 10_000_005 + later_us});
    b.line(`__folio_start_writeback: (__folio_start_writeback+0x4/0x190) folio=${a.pointer(P)}`);
    b.idle();
    return form(a.text(null), false) + form(b.text(null), true);
  }
  const bare = (trace: string): string => trace.replaceAll(/^#.*\n/gm, '');
  const forms: Record<string, (trace: string, again: boolean) => string> = {
    ftrace: (trace) => trace,
    'trace-cmd': (trace, again) =>
      `${again ? '' : VMEMMAP}cpus=2\n${bare(trace).replaceAll(/: (\w+): /g, ': $1:         ')}`,
    perf: (trace, again) =>
      `${again ? '' : VMEMMAP}# nrcpus online : 2\n${bare(trace).replaceAll(
        /^ *(.*)-(\d+) +\[(\d+)\] \S+ +(\d+\.\d+): (\w+): /gm,
        (_, comm: string, pid, cpu, time, event: string) =>
          `${comm.padStart(16)} ${pid} [${cpu}] ${time}: ${SYSTEM[event.split('_')[0]!] ?? 'probe'}:${event}: `,
      )}`,
  };
  forms['bpftrace'] = (trace, again) =>
    `${again ? '' : VMEMMAP}Attaching 26 probes...\n${bare(trace).replaceAll(
      /^ *(.*)-(\d+) +\[(\d+)\] \S+ +(\d+)\.(\d+): (\w+):(?: \(\S+\))? (.*)$/gm,
      (_, comm: string, pid, cpu, s, us, event: string, rest: string) =>
        `${s}${us}000 cpu=${Number(cpu)} pid=${pid} tid=${pid} comm=${comm.trim()} ${event} ${rest}`,
    )}`;
  const VMEMMAP = '# pinscope-record: vmemmap_base=0xffffea0000000000\n';
  const SYSTEM: Record<string, string> = {page: 'page_ref', mm: 'kmem'};

  it.each(Object.keys(forms))('tell nothing for sure of what is between them: %s', async (name) => {
    for (const later_us of [90_000_000, 1_000_000, -9_000_000]) {
      const report = await analyzeText(recordings(forms[name]!, later_us));
      expect(report.summary.pins).toBeGreaterThan(1);
      const of = report.findings.filter((f) => f.rule === 'writeback-while-pinned');
      if (later_us > 0) expect(of.map((f) => f.verdict)).toEqual(['possible']);
      expect(report.findings.filter((f) => f.verdict === 'sure')).toEqual([]);
    }
  });

  it('tell nothing for sure of what is between them: given one by one', async () => {
    const two: string[] = [];
    recordings((trace) => {
      two.push(trace);
      return trace;
    }, 1_000_000);
    for (const inputs of [two, two.toReversed()]) {
      const found = told(await analyzeText(inputs)).filter((one) => one.startsWith('writeback'));
      expect(found).toEqual(['writeback-while-pinned warning possible 0x2fb0']);
    }
  });

  it('are of two boots where they name two kernels', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const kernel = (release: string): string => `# pinscope-record: kernel=${release}\n`;
    expect(told(await analyzeText(k.text() + kernel('6.12.1') + kernel('6.12.1'))).join()).toContain('error sure');
    expect(told(await analyzeText(k.text() + kernel('6.12.1') + kernel('6.12.2'))).join()).not.toContain('sure');
  });
});
