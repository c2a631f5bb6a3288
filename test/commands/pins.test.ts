import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {beforeAll, describe, expect, inject, it} from 'vitest';
import {LivePins} from '../../src/readers/pins/live.js';
import {Spread} from '../../src/readers/pins/spread.js';
import {Top} from '../../src/readers/pins/top.js';
import {distribution} from '../../src/readers/pins/distribution.js';
import type {PinsReport} from '../../src/results/pins.js';
import type {Report} from '../../src/results/report.js';
import {against, json, linesOf, pinscope, sample} from './pinscope.js';

beforeAll(() => expect(inject('buildFailure')).toBe(''));

interface Held {
  pfn: string;
  comm: string;
  from: number;
  line: number;
}

/** The same from the text alone: small pages, +1023 takes a pin (after +1), -1024 drops the oldest of the page. */
function byHand(name: string): {taken: Held[]; holds: number[]; before: number; held: Held[]} {
  const open = new Map<string, Held[]>();
  const taken: Held[] = [];
  const holds: number[] = [];
  let before = 0;
  linesOf(name).forEach((line, at) => {
    const match = /^ *(.+)-\d+ +.*?(\d+)\.(\d{6}): page_ref_mod\w*: pfn=(\S+) .*val=(1023|-1024)\b/.exec(line);
    if (match === null) return;
    const [, comm = '', seconds, fraction, pfn = '', val] = match;
    const t = Number(`${seconds}${fraction}000`);
    const list = open.get(pfn) ?? [];
    open.set(pfn, list);
    if (val === '1023') {
      const pin = {pfn, comm, from: t, line: at + 1};
      list.push(pin);
      taken.push(pin);
    } else {
      const pin = list.shift();
      if (pin === undefined) before++;
      else holds.push(t - pin.from);
    }
  });
  return {taken, holds, before, held: [...open.values()].flat()};
}

describe('pinscope pins', () => {
  it.each(['call-stacks', 'lost-events', 'misuse-6.1-probes', 'misuse-6.12-page_ref', 'pinned-before-the-trace'])(
    'says of %s where each pin went, and adds up',
    (name) => {
      const {totals} = json<PinsReport>('pins', sample(`ftrace/${name}`));
      expect(totals.dropped_here + totals.gone + totals.held_at_end - totals.held_from_before).toBe(totals.pins);
      expect(totals.dropped_here + totals.from_before + totals.unexplained).toBe(totals.unpins);
      expect(json<Report>('analyze', sample(`ftrace/${name}`)).summary.pins).toBe(totals.pins);
    },
  );

  it.each(['call-stacks', 'counting-clock', 'lost-events', 'misuse-6.1-probes'])(
    'keeps to its schema on %s',
    (name) => {
      expect(against('pinscope.pins.1.json', json<PinsReport>('pins', sample(`ftrace/${name}`)))).toBe('');
    },
  );

  it.each(['ftrace/call-stacks', 'ftrace/unpin-while-dma'])('counts what the lines of %s say', (name) => {
    const expected = byHand(name);
    const report = json<PinsReport>('pins', sample(name));
    expect(report.totals).toMatchObject({
      pins: expected.taken.length,
      pages: new Set(expected.taken.map((pin) => pin.pfn)).size,
      unpins: expected.holds.length + expected.before,
      from_before: expected.before,
      held_at_end: expected.held.length,
    });
    expect(report.hold).toEqual(distribution(expected.holds));
    expect(report.tasks.reduce((sum, task) => sum + task.pins, 0)).toBe(expected.taken.length);
    const still = report.longest.filter((pin) => pin.end_ns === null).map((pin) => `${pin.pfn} ${pin.line}`);
    expect(still.toSorted()).toEqual(expected.held.map((pin) => `${pin.pfn} ${pin.line}`).toSorted());
  });

  it('groups by call stack where there are stacks', () => {
    const {stacks, totals} = json<PinsReport>('pins', sample('ftrace/call-stacks'));
    expect(stacks.reduce((sum, holder) => sum + holder.pins, 0)).toBe(totals.pins);
    expect(stacks[0]?.stack?.some((frame) => frame.startsWith('pin_user_pages_fast'))).toBe(true);
  });

  it('counts only the pins that are asked for', () => {
    const name = 'ftrace/call-stacks';
    const of316 = linesOf(name).filter((line) => /-316 .*page_ref_mod: .*val=1023\b/.test(line)).length;
    expect(json<PinsReport>('pins', '--pid', '316', sample(name)).totals.pins).toBe(of316);
    expect(of316).toBeGreaterThan(0);
    const {taken} = byHand(name);
    const pfn = taken[0]?.pfn ?? '';
    expect(json<PinsReport>('pins', '--pfn', pfn, sample(name)).totals.pins).toBe(
      taken.filter((pin) => pin.pfn === pfn).length,
    );
  });

  it('counts the pins under which a device mapped their page, or of the pages of a file', () => {
    const name = 'ftrace/unpin-while-dma';
    const {taken} = byHand(name);
    const mapped = linesOf(name).flatMap((line, at) => {
      const match = /dma_map_page: pinbug\.0 .* phys_addr=([0-9a-f]+)000 /.exec(line);
      return match === null ? [] : [{pfn: `0x${match[1]!}`, line: at + 1}];
    });
    const under = taken.filter((pin) => mapped.some(({pfn, line}) => pfn === pin.pfn && line > pin.line));
    const {totals, tasks} = json<PinsReport>('pins', '--device', 'pinbug.*', sample(name));
    expect(totals.pins).toBe(under.length);
    expect(totals).toMatchObject({unpins: under.length, held_at_end: 0});
    expect(tasks.reduce((sum, {pins}) => sum + pins, 0)).toBe(under.length);

    const files = 'ftrace/writeback-while-pinned';
    const entered = new Set(
      linesOf(files).flatMap((line) => {
        const match = /mm_filemap_add_to_page_cache: dev 259:0 ino e pfn=(\S+)/.exec(line);
        return match === null ? [] : [match[1]];
      }),
    );
    const of = json<PinsReport>('pins', '--inode', '259:0/0xe', sample(files)).totals;
    expect(of.pins).toBe(byHand(files).taken.filter(({pfn}) => entered.has(pfn)).length);
    expect(of.pins).toBeGreaterThan(0);
    expect(pinscope(['pins', '--device', 'nosuch', sample(name)])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no device of this trace is named so') as string,
    });
  });

  it('tells its filters and the digest of the trace in the first lines', () => {
    const trace = sample('ftrace/misuse-6.12-page_ref');
    const filters = ['--comm', 'bash', '--time', '17.3,17.4'];
    const report = json<PinsReport>('pins', ...filters, trace);
    expect(against('pinscope.pins.1.json', report)).toBe('');
    expect(report.filters).toEqual([
      {flag: '--time', value: '17.3,17.4'},
      {flag: '--comm', value: 'bash'},
    ]);
    for (const form of ['table', 'mail', 'markdown']) {
      const {stdout} = pinscope(['pins', ...filters, '--sha256', '--to', form, trace]);
      const head = stdout.split('\n').slice(0, 12).join('\n');
      expect(head).toContain('only pins within --time 17.3,17.4 --comm bash');
      expect(head).toMatch(/sha256.*[0-9a-f]{64}/);
      expect(head).toContain('none taken');
    }
  });

  it('names bare addresses by a kallsyms file', () => {
    const bare = linesOf('ftrace/call-stacks').map((line) =>
      line.startsWith(' => pin_user_pages_fast') ? ' => 0xffffffff81a3c2f2' : line,
    );
    const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-pins-'));
    const symbols = path.join(dir, 'kallsyms');
    writeFileSync(symbols, 'ffffffff81a3c2e0 T pin_user_pages_fast\n');
    const {stdout} = pinscope(['pins', '--json', '--kallsyms', symbols, '-'], bare.join('\n'));
    rmSync(dir, {recursive: true});
    const {stacks} = JSON.parse(stdout) as PinsReport;
    expect(stacks[0]?.stack).toContain('pin_user_pages_fast+0x12');
  });

  it('fits 80 columns', () => {
    const {status, stdout} = pinscope(['pins', sample('ftrace/call-stacks')]);
    expect(status).toBe(0);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('says when a trace cannot show pins', () => {
    const frees = linesOf('ftrace/unpin-while-dma').filter((line) => /^#|mm_page_|dma_/.test(line));
    const {status, stderr} = pinscope(['pins', '-'], frees.join('\n'));
    expect(status).toBe(2);
    expect(stderr).toContain('does not show pins being taken');
  });
});

describe('bounded memory', () => {
  it('keeps percentiles within 1 % once times are many', () => {
    const spread = new Spread();
    const times = Array.from({length: 20_000}, (_, at) => Math.round(1.0006 ** at * 100));
    for (const t of times) spread.add(t);
    const exact = distribution(times);
    const kept = spread.result();
    expect(kept?.count).toBe(times.length);
    for (const key of ['p50_ns', 'p90_ns', 'p99_ns'] as const)
      expect(Math.abs(Number(kept?.[key]) / Number(exact?.[key]) - 1)).toBeLessThan(0.01);
    expect(kept).toMatchObject({min_ns: exact?.min_ns, max_ns: exact?.max_ns, log2: exact?.log2});
  });

  it('keeps the first of many', () => {
    const top = new Top<number>(5, (a, b) => a > b);
    const values = Array.from({length: 1000}, (_, at) => (at * 7919) % 1000);
    for (const value of values) top.add(value);
    expect(top.result()).toEqual([999, 998, 997, 996, 995]);
  });

  it('keeps the most of each step, however long the trace', () => {
    const live = new LivePins();
    const ledger = {capture: {time: {unit: 'ns', absolute: (t: number) => BigInt(t)}, last: 5e9}} as never;
    live.change(0, 1);
    live.change(1e6, 9);
    live.change(2e6, -9);
    live.change(4e9, 2);
    live.change(4.5e9, -3);
    const result = live.result(ledger);
    expect(result).toMatchObject({peak: 10, peak_ns: '1000000', start_ns: '0'});
    const step = Number(result?.step_ns);
    expect(result?.most.length).toBeLessThanOrEqual(1024);
    expect(result?.most[Math.floor(1e6 / step)]).toBe(10);
    expect(result?.most[Math.floor(3e9 / step)]).toBe(1);
    expect(result?.most[Math.floor(4.2e9 / step)]).toBe(3);
    expect(result?.most.at(-1)).toBe(0);
  });
});

describe('pins --to folded', () => {
  it('has each pin once, by call stack, outermost first', () => {
    for (const name of ['ftrace/call-stacks', 'ftrace/misuse-6.12-page_ref']) {
      const {stdout} = pinscope(['pins', '--to', 'folded', sample(name)]);
      const lines = stdout.trimEnd().split('\n');
      const sum = lines.reduce((n, line) => n + Number(/ (\d+)$/.exec(line)![1]), 0);
      expect(sum).toBe(json<PinsReport>('pins', sample(name)).totals.pins);
    }
    expect(pinscope(['pins', '--to', 'folded', sample('ftrace/call-stacks')]).stdout).toMatch(
      /^entry_SYSCALL_64_after_hwframe;do_syscall_64;.*;pin_user_pages_fast;gup_fast_fallback;try_grab_folio_fast \d+$/m,
    );
  });
});
