/** The laws that complete captures obey: what breaks them is told, and takes away what silence proves. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {describe, expect, it} from 'vitest';
import {info} from '../../src/run/info.js';
import type {InfoReport} from '../../src/results/info.js';
import {INFO_RENDERERS} from '../../src/report/info/index.js';
import {optionsFor, toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x5dac9;

async function infoOf(text: string): Promise<InfoReport> {
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-audit-'));
  try {
    const file = path.join(dir, 'trace.txt');
    writeFileSync(file, text);
    return await info(optionsFor([file]));
  } finally {
    rmSync(dir, {recursive: true});
  }
}

async function broken(text: string): Promise<Record<string, number>> {
  const {laws} = await infoOf(text);
  return Object.fromEntries(laws.filter((law) => law.broken > 0).map(({law, broken: n}) => [law, n]));
}

/** A read by direct I/O: pinned, mapped, unmapped, unpinned. */
function read(k: SmallKernel, pfn: number): void {
  k.pin(pfn);
  k.map(pfn);
  k.unmap(pfn);
  k.unpin(pfn);
}

const lineOf = (text: string, event: string, which: number): number =>
  text.split('\n').flatMap((line, i) => (line.includes(` ${event}: `) ? [i] : []))[which]!;

function withoutLines(text: string, ...gone: number[]): string {
  return text
    .split('\n')
    .filter((_, i) => !gone.includes(i))
    .join('\n');
}

describe('the audit', () => {
  it('says of a capture that obeys all laws that it does', async () => {
    const k = new SmallKernel();
    k.anon(P);
    read(k, P);
    read(k, P);
    k.munmap(P);
    expect(await broken(k.text())).toEqual({});
    const report = await infoOf(k.text());
    const shown = [...INFO_RENDERERS.table(report, {width: 200, color: false} as never)].join('');
    expect(shown).toContain(`all ${report.laws.length} are obeyed`);
  });

  it('hears of an address that is mapped again although it was not unmapped', async () => {
    const k = new SmallKernel({refs: false});
    for (let i = 0; i < 12; i++) {
      k.anon(0x300 + i);
      read(k, 0x300 + i);
    }
    k.anon(P);
    read(k, P);
    read(k, P);
    const text = k.text();
    expect(await broken(text)).toEqual({});
    expect(await broken(withoutLines(text, lineOf(text, 'dma_unmap_page', 12)))).toEqual({
      'unmapped-before-mapped-again': 1,
    });
  });

  it('hears of a CPU whose times go back, and calls nothing sure about then', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const lines = k.text().split('\n');
    expect(await toldOf(lines.join('\n'))).toContain('unpin-while-dma error sure 0x5dac9');
    const from = lines.findIndex((line) => line.includes(` mm_page_alloc: `) && line.includes('0x5dac9'));
    const to = lines.findIndex((line) => line.includes(' dma_map_page: '));
    const moved = [...lines.slice(0, from), ...lines.slice(to), ...lines.slice(from, to)].filter((l) => l !== '');
    expect((await broken(moved.join('\n')))['cpu-in-order']).toBeGreaterThan(0);
    expect(await toldOf(moved.join('\n'))).not.toContain('unpin-while-dma error sure 0x5dac9');
  });

  it('takes two looks at one buffer, which repeat each other, for what they are', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const text = k.text();
    const twice = text + text.split('\n').slice(20).join('\n');
    expect((await broken(twice))['cpu-in-order']).toBeGreaterThan(0);
    expect(await toldOf(twice)).toContain('unpin-while-dma error sure 0x5dac9');
  });

  it('trusts no silence where several laws are broken again and again', async () => {
    const k = new SmallKernel({refs: false});
    for (let i = 0; i < 6; i++) {
      k.anon(0x300 + i);
      read(k, 0x300 + i);
      k.munmap(0x300 + i);
      k.anon(0x300 + i);
      read(k, 0x300 + i);
    }
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.munmap(P);
    k.unmap(P);
    const text = k.text();
    expect(await toldOf(text)).toContain('free-while-dma error sure 0x5dac9');
    // elsewhere, of other pages: two frees, and two grabs of which the returns are there
    const gone = [
      ...[1, 2].map((i) => lineOf(text, 'mm_page_free', i)),
      ...[6, 9].map((i) => lineOf(text, 'try_grab_folio_fast', i)),
    ];
    expect(Object.keys(await broken(withoutLines(text, ...gone))).length).toBeGreaterThan(1);
    expect(await toldOf(withoutLines(text, ...gone))).toContain('free-while-dma error possible 0x5dac9');
    // one of them is a doubt about its page alone
    expect(await toldOf(withoutLines(text, gone[0]!))).toContain('free-while-dma error sure 0x5dac9');
  });
});
