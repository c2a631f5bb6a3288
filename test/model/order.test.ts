/** Files that are not in order of time, or not whole: read as if they were, or told. */
import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {describe, expect, it} from 'vitest';
import {analyzeText, told} from '../rules/analyze-text.js';

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
