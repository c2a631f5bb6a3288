import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {Gaps} from '../../src/capture/gaps.js';
import {analyzeText} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const span = fc
  .tuple(fc.integer({min: 0, max: 1000}), fc.integer({min: 0, max: 50}))
  .map(([from, length]) => ({from, to: from + length}));

describe('Gaps', () => {
  it('answers whether any touches a span, ends included', () => {
    fc.assert(
      fc.property(fc.array(span, {maxLength: 30}), span, (all, asked) => {
        const gaps = new Gaps();
        for (const {from, to} of all) gaps.add(from, to, `${from}`);
        const touched = all.find((gap) => gap.from <= asked.to && gap.to >= asked.from);
        expect(gaps.within(asked.from, asked.to) !== undefined).toBe(touched !== undefined);
      }),
    );
  });

  it('forgets none when there are too many to keep apart', () => {
    const gaps = new Gaps();
    for (let i = 0; i < 10_100; i++) gaps.add(i * 10, i * 10 + 1, 'lost');
    expect(gaps.count).toBe(10_000);
    for (const i of [0, 9_998, 10_050, 10_099]) expect(gaps.within(i * 10, i * 10)).toBeDefined();
    expect(gaps.within(15, 15)).toBeUndefined();
  });

  it('reach back to before the trace and on to after it', () => {
    const gaps = new Gaps();
    gaps.add(-Infinity, 5, 'overwritten');
    expect(gaps.within(-Infinity, 0)?.why).toBe('overwritten');
    expect(gaps.within(6, Infinity)).toBeUndefined();
  });
});

describe('what was lost', () => {
  const P = 0x2fb0;

  /** An early unpin on CPU 0, with CPU 1 busy elsewhere; `lose` says before which of its seven lines CPU 1 lost some. */
  async function reasonOf(change: (text: string) => string): Promise<string | null | undefined> {
    const k = new SmallKernel();
    const other = (pfn: number) =>
      k.by({task: 'bash-77', cpu: 1}, () =>
        k.line(`mm_page_free: page=0000000011111111 pfn=0x${pfn.toString(16)} order=0`),
      );
    other(0x500);
    other(0x501);
    k.anon(P);
    other(0x502);
    k.pin(P);
    other(0x503);
    k.map(P);
    other(0x504);
    k.unpin(P);
    other(0x505);
    k.unmap(P);
    other(0x506);
    other(0x507);
    const {findings} = await analyzeText(change(k.text()));
    expect(findings.map((f) => f.rule)).toEqual(['unpin-while-dma']);
    return findings[0]!.reason;
  }
  const before = (place: number, line: string) => (text: string) =>
    text.replace(new RegExp(`^.*pfn=0x50${place} `, 'm'), (event) => `${line}\n${event}`);

  it("matters only between the CPU's last event before and its next one after", async () => {
    for (const place of [1, 7]) expect(await reasonOf(before(place, 'CPU:1 [LOST 12 EVENTS]'))).toBeNull();
    for (const place of [4, 5, 6]) {
      expect(await reasonOf(before(place, 'CPU:1 [LOST 12 EVENTS]'))).toMatch(
        /^12 events of CPU 1 were lost \(line \d+\)$/,
      );
    }
  });

  it('is told without a number where the kernel gives none', async () => {
    expect(await reasonOf(before(5, 'CPU:1 [LOST EVENTS]'))).toMatch(/^events of CPU 1 were lost/);
  });

  it('is everything of a CPU before its buffer started', async () => {
    expect(await reasonOf(before(5, '##### CPU 1 buffer started ####'))).toBe(
      "the beginning of CPU 1's buffer was overwritten",
    );
  });

  it('is, where the ring buffer was overwritten, what each CPU had before its own first event', async () => {
    const header = (text: string) => {
      const kept = text.split('\n').filter((line) => /^ .*\[\d{3}\]/.test(line)).length;
      const counts = `# entries-in-buffer/entries-written: ${kept}/${kept + 360}   #P:2\n`;
      return text.replace('tracer: nop\n', `tracer: nop\n${counts}`);
    };
    // both CPUs begin before the page is allocated
    expect(await reasonOf(header)).toBeNull();
    // CPU 1 begins in the middle: what it did before may have touched the page
    const late = (text: string) =>
      header(
        text
          .split('\n')
          .filter((line) => !line.includes('[001]') || /pfn=0x50[5-7]/.test(line))
          .join('\n'),
      );
    expect(await reasonOf(late)).toContain('overwritten (CPU 1 begins here)');
  });
});
