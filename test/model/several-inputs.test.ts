/** Several traces read together: each has a ring buffer of its own, and what it lost no other has. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {describe, expect, it} from 'vitest';
import {analyzeFiles, analyzeText, told} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x2fb0;
const CLOCK = '# pinscope-record: clock=mono\n';
const SURE = ['unpin-while-dma error sure 0x2fb0'];

/** An early unpin on CPU 0, and the frees of two other CPUs all along. */
function early(): string[] {
  const k = new SmallKernel();
  let pfn = 0x500;
  const others = (): void => {
    for (const cpu of [0, 1])
      k.by({task: 'bash-77', cpu}, () =>
        k.line(`mm_page_free: page=0000000011111111 pfn=0x${(pfn++).toString(16)} order=0`),
      );
  };
  others();
  k.anon(P);
  others();
  k.pin(P);
  others();
  k.map(P);
  others();
  k.unpin(P);
  others();
  k.unmap(P);
  others();
  return k.text(null).trimEnd().split('\n');
}
const isFree = (line: string): boolean => line.includes('pfn=0x50');
const file = (lines: readonly string[]): string => `${lines.join('\n')}\n${CLOCK}`;

describe('a loss in one of two traces', () => {
  const all = early();
  const frees = all.filter(isFree);
  const deeds = all.filter((line) => !isFree(line));

  it('is not where the other has events of the same CPU', async () => {
    expect(told(await analyzeText([file(deeds), file(frees)]))).toEqual(SURE);
    // between the mapping and the unpin CPU 0 lost some, in the trace that has the mappings
    const at = deeds.findLastIndex((line) => line.includes('gup_put_folio'));
    const lossy = [...deeds.slice(0, at), 'CPU:0 [LOST 12 EVENTS]', ...deeds.slice(at)];
    for (const two of [
      [file(lossy), file(frees)],
      [file(frees), file(lossy)],
    ]) {
      const {findings} = await analyzeText(two);
      expect(findings.map(({verdict, reason}) => [verdict, reason])).toEqual([
        ['possible', expect.stringContaining('12 events of CPU 0 were lost')],
      ]);
    }
  });

  it('is of its own beginning where its ring buffer was overwritten', async () => {
    const begun = (lines: readonly string[]): string =>
      file([
        `# tracer: nop`,
        `# entries-in-buffer/entries-written: ${lines.length}/${lines.length + 300}   #P:2`,
        ...lines,
      ]);
    const {findings} = await analyzeText([file(deeds), begun(frees.slice(-4))]);
    expect(findings[0]!.reason).toContain('overwritten');
  });
});

it('what one of two traces records is not recorded where it does not run', async () => {
  const all = early();
  const isUnmap = (line: string): boolean => line.includes('dma_unmap');
  const unmap = all.find(isUnmap)!;
  const rest = all.filter((line) => !isUnmap(line));
  // the second has the unmap alone: whether the page was unmapped before, nobody knows
  const {findings} = await analyzeText([file(rest), file([unmap])]);
  expect(findings.map(({verdict, reason}) => [verdict, reason])).toEqual([
    ['possible', expect.stringContaining('begins later or ends earlier')],
  ]);
  // one of another page, before all else
  const other = rest
    .find(isFree)!
    .replace(/mm_page_free.*/, 'dma_unmap_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=700000 size=4096 attrs=');
  expect(told(await analyzeText([file(rest), file([other, unmap])]))).toEqual(SURE);
});

it('nothing is known of the time between two traces', async () => {
  const all = early();
  const half = all.findLastIndex((line) => line.includes('gup_put_folio'));
  const {findings} = await analyzeText([file(all.slice(0, half)), file(all.slice(half))]);
  expect(findings[0]!.reason).toContain('none of the traces runs here');
});

it('which clock the other has is not known where one tells it alone', async () => {
  const all = early();
  const two = [file(all.filter(isFree)), `${all.filter((line) => !isFree(line)).join('\n')}\n`];
  const {findings} = await analyzeText(two);
  expect(findings.map(({verdict, reason}) => [verdict, reason])).toEqual([
    ['possible', expect.stringContaining('does not say which clock it has')],
  ]);
  expect(told(await analyzeText(two, {clock: 'mono'}))).toEqual(SURE);
});

it('recordings of two machines are not read together', async () => {
  const one = execFileSync('xz', ['-dc', 'sample-traces/perf-data/early-unpins-6.12.data.xz'], {maxBuffer: 1 << 28});
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-several-'));
  const files = ['one', 'two'].map((name) => path.join(dir, name));
  writeFileSync(files[0]!, one);
  let host = '';
  await analyzeFiles(files.slice(0, 1), {read: ({capture}) => (host = capture.facts.get('hostname')!)});
  const two = Buffer.from(one);
  two.write(`${host.slice(0, -1)}_`, two.lastIndexOf(`${host}\0`, undefined, 'latin1'), 'latin1');
  writeFileSync(files[1]!, two);
  try {
    await expect(analyzeFiles(files)).rejects.toThrow(/of another boot.*: host /);
  } finally {
    rmSync(dir, {recursive: true});
  }
});

it('an event that two traces have is one', async () => {
  const all = early();
  const half = Math.floor(all.length / 2);
  for (const [first, second] of [
    [all.length, 0],
    [half + 4, half - 4],
  ])
    expect(told(await analyzeText([file(all.slice(0, first)), file(all.slice(second))]))).toEqual(SURE);
});

it('times since the beginning of each trace’s own buffer order nothing between two of them', async () => {
  const us = (line: string): number => Math.round(Number(/ (\d+\.\d+): /.exec(line)![1]) * 1e6);
  const all = early();
  const begin = us(all.find((line) => !line.startsWith('#'))!);
  // latency-format, of two instances that were made 40 us apart
  const relative = (lines: readonly string[], origin: number): string =>
    file(
      lines.map((line) =>
        line.replace(
          /^ *(\S{1,8})\S*-(\d+) +\[(\d+)\] (\S+) +\d+\.\d+: /,
          (_, comm: string, pid: string, cpu: string, flags: string) =>
            `${comm.padStart(8)}-${pid.padEnd(7)} ${String(Number(cpu)).padStart(3)}${flags} ${us(line) - origin}us : `,
        ),
      ),
    );
  const parts = [
    all.filter((line) => line.startsWith('#') || line.includes('dma_')),
    all.filter((line) => !line.includes('dma_')),
  ] as const;
  expect(told(await analyzeText(relative(all, begin)))).toEqual(SURE);
  const {findings} = await analyzeText([relative(parts[0], begin - 40), relative(parts[1], begin)]);
  expect(findings.filter(({verdict}) => verdict === 'sure')).toEqual([]);
});
