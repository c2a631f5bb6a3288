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

  it('concludes nothing from silence where its header counts more entries than it has', async () => {
    const some = events.filter((_, i) => i % 50 !== 7);
    const report = await analyzeText(file(some));
    expect(report.quality.map((q) => q.id)).toContain('missing-entries');
    const early = report.findings.filter((f) => f.rule === 'unpin-while-dma');
    expect(early.length).toBeGreaterThan(0);
    expect(early.filter((f) => f.verdict === 'sure')).toEqual([]);
  });
});
