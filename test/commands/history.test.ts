import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {beforeAll, describe, expect, inject, it} from 'vitest';
import type {HistoryReport, LifeEntry} from '../../src/results/history.js';
import type {Report} from '../../src/results/report.js';
import {against, json, linesOf, pinscope, sample} from './pinscope.js';

beforeAll(() => expect(inject('buildFailure')).toBe(''));

function entries(report: HistoryReport): LifeEntry[] {
  return report.pages.flatMap((page) => page.generations.flatMap((generation) => generation.entries));
}

function number(line: string, name: string): number | null {
  const match = new RegExp(` ${name}=(-?\\d+)`).exec(line);
  return match === null ? null : Number(match[1]);
}

describe('pinscope history', () => {
  it.each(['call-stacks', 'counting-clock', 'lost-events', 'misuse-6.1-probes'])(
    'keeps to its schema on %s',
    (name) => {
      expect(against('pinscope.history.2.json', json<HistoryReport>('history', sample(`ftrace/${name}`)))).toBe('');
    },
  );

  it.each([
    ['ftrace/unpin-while-dma', '0x2fb0'],
    ['ftrace/writeback-while-pinned', '0x5c0e0'],
    ['ftrace/call-stacks', '0x276c'],
    ['ftrace/large-folios', '0xe400'],
  ])('has every line of %s that names %s, with its numbers', (name, pfn) => {
    const lines = linesOf(name);
    const named = lines.flatMap((line, at) =>
      new RegExp(`: (?:page_ref_|mm_page_(?:alloc|free):|mm_filemap).* pfn=${pfn} `).test(line) ? [at + 1] : [],
    );
    expect(named.length).toBeGreaterThan(5);
    const byLine = new Map(entries(json<HistoryReport>('history', '--pfn', pfn, sample(name))).map((e) => [e.line, e]));
    for (const at of named) {
      const entry = byLine.get(at);
      const line = lines[at - 1] ?? '';
      expect(entry, line).toBeDefined();
      if (entry?.delta !== null) expect(entry?.delta).toBe(number(line, 'val'));
      const count = number(line, 'count');
      if (count !== null) expect(entry?.counts?.raw).toBe(count);
    }
  });

  it('cuts generations at allocation and free, and pairs nothing across', () => {
    const {pages} = json<HistoryReport>('history', '--pfn', '0x2fb0', sample('ftrace/unpin-while-dma'));
    const generations = pages[0]?.generations ?? [];
    expect(generations.map(({born, died}) => `${born} ${died}`)).toEqual(['alloc free', 'alloc free']);
    for (const generation of generations) {
      const inside = new Set(generation.entries.map((entry) => entry.line));
      for (const entry of generation.entries) if (entry.pair) expect(inside).toContain(entry.pair.line);
    }
    expect(generations[0]?.findings).toEqual(['F1']);
    expect(generations[1]?.findings).toEqual([]);
  });

  it('pairs each drop with its taking, says how each kind is known, and shows the early unpin', () => {
    const {pages} = json<HistoryReport>('history', '--pfn', '0x2fb0', sample('ftrace/unpin-while-dma'));
    const [first] = pages[0]?.generations ?? [];
    const pin = first?.entries.find((entry) => entry.delta === 1023);
    const unpin = first?.entries.find((entry) => entry.delta === -1024);
    expect(pin).toMatchObject({kind: 'pin', known_by: 'probe', pair: {line: unpin?.line}});
    expect(unpin).toMatchObject({kind: 'pin', pair: {line: pin?.line}});
    expect(first?.entries.filter((e) => e.kind === 'lru-batch').map((e) => [e.what, e.known_by])).toEqual([
      ['taken', 'flags'],
      ['dropped', 'flags'],
    ]);
    expect(first?.entries.filter((e) => e.kind === 'mapping').map((e) => [e.delta, e.known_by])).toEqual([
      [-1, 'count'],
    ]);
    const dma = first?.windows.find((window) => window.kind === 'dma');
    expect(Number(dma?.end_ns)).toBeGreaterThan(Number(unpin?.t_ns));
    expect(dma?.label).toBe('pinbug.0 BIDIRECTIONAL');
    for (const entry of first?.entries ?? [])
      if (entry.kind !== null && entry.kind !== 'unknown') expect(entry.known_by).not.toBeNull();
  });

  it('tells the references of a file page apart', () => {
    const {pages} = json<HistoryReport>('history', '--pfn', '0x5c0e0', sample('ftrace/writeback-while-pinned'));
    const all = pages.flatMap((page) => page.generations.flatMap((generation) => generation.entries));
    const kinds = new Set(all.map((entry) => `${entry.kind} ${entry.known_by}`));
    for (const kind of ['page-cache event', 'private flags', 'writeback flags', 'mapping count', 'pin probe'])
      expect(kinds).toContain(kind);
    const generation = pages[0]?.generations[0];
    expect(generation?.file).toBeDefined();
    expect(generation?.windows.some((window) => window.kind === 'writeback' && window.end_ns !== null)).toBe(true);
  });

  it('reads kinds from call stacks where there are', () => {
    const all = entries(json<HistoryReport>('history', '--pfn', '0x276c', sample('ftrace/call-stacks')));
    expect(all.some((entry) => entry.kind === 'lru-batch' && entry.known_by === 'stack')).toBe(true);
    const pin = all.find((entry) => entry.kind === 'pin' && entry.delta === 1023);
    expect(pin?.frames?.some((frame) => frame.startsWith('pin_user_pages_fast'))).toBe(true);
  });

  it('shows gaps between the entries', () => {
    const name = 'ftrace/lost-events';
    const at = linesOf(name).findIndex((line) => line.includes('LOST 3438 EVENTS')) + 1;
    const all = entries(json<HistoryReport>('history', '--pfn', '0x33ba', sample(name)));
    const gap = all.find((entry) => entry.what === 'gap' && entry.line === at);
    expect(gap).toMatchObject({cpu: 1, kind: null});
    expect(gap?.note).toContain('3438 events');
  });

  it('shows a large folio at its head, for any page of it', () => {
    const {pages} = json<HistoryReport>('history', '--pfn', '0xe405', sample('ftrace/large-folios'));
    const folio = pages.find((page) => page.pfn === '0xe400');
    expect(folio?.generations[0]?.order).toBe(9);
    const pin = folio?.generations.flatMap((g) => g.entries).find((e) => e.kind === 'pin' && e.what === 'taken');
    expect(pin?.counts?.pins).toBe(pin?.delta);
  });

  it('works on probes alone, where no count is printed', () => {
    const report = json<HistoryReport>('history', '--rule', 'unpin-while-dma', sample('ftrace/misuse-6.12-probes'));
    const pin = entries(report).find((entry) => entry.kind === 'pin' && entry.what === 'taken');
    expect(pin).toMatchObject({known_by: 'probe', delta: null, counts: {raw: null}});
  });

  it('takes the pages of the findings when none are named', () => {
    const report = json<HistoryReport>('history', sample('ftrace/unpin-while-dma'));
    expect(report.pages.map((page) => page.pfn)).toEqual(['0x2f7c', '0x2fae', '0x2fb0', '0x2ff4']);
    expect(report.pages.every((page) => page.why.split(', ').includes('F1'))).toBe(true);
  });

  describe('--around', () => {
    const trace = 'docs/examples/writeback-6.12.txt.gz';
    const findings = () => json<Report>('analyze', trace).findings;

    it('shows the pages of one finding, the changes around its deciding lines, and marks these', () => {
      for (const finding of findings().slice(0, 4)) {
        const report = json<HistoryReport>('history', '--around', finding.key, trace);
        expect(against('pinscope.history.2.json', report)).toBe('');
        expect(report.around).toMatchObject({id: finding.id, key: finding.key, rule: finding.rule});
        expect(report.pages.map(({pfn}) => pfn)).toEqual(finding.pages.map(({pfn}) => pfn).toSorted());
        const marked = entries(report).filter((entry) => entry.decides !== undefined);
        expect(new Set(marked.map(({line}) => line))).toEqual(new Set(finding.evidence.map(({line}) => line)));
        for (const {decides, line} of marked) {
          const role = finding.evidence.find((one) => one.line === line)?.role;
          expect(decides).toBe(`${finding.id}: ${role}`);
        }
      }
    });

    it('counts the changes it leaves out', () => {
      const [, , finding] = findings();
      const [page] = json<HistoryReport>('history', '--around', finding!.key, trace).pages;
      const whole = json<HistoryReport>('history', '--pfn', page!.pfn, trace).pages[0]!;
      const shown = page!.generations[0]!.entries;
      const left = shown.filter(({what}) => what === 'left-out');
      const sum = left.reduce((all, {note}) => all + parseInt(note ?? '', 10), 0);
      expect(left.length).toBeGreaterThan(0);
      expect(shown.length - left.length + sum).toBe(whole.generations[0]!.entries.length);
      const first = shown.findIndex(({decides}) => decides !== undefined);
      expect(first).toBe(11);
      const {stdout} = pinscope(['history', '--around', finding!.key, trace]);
      expect(stdout).toMatch(/\n +\.\.\. \d+ more changes before\n/);
      expect(stdout).toMatch(/\^\^\^ F3: writeback-start/);
    });

    it('names what reports print', () => {
      const {stdout} = pinscope(['analyze', trace]);
      const [, key = ''] = /history\s+--around ([0-9a-f]+)/.exec(stdout) ?? [];
      expect(pinscope(['history', '--around', key, trace])).toMatchObject({status: 0, stderr: ''});
    });

    it('says how to list keys when one names nothing', () => {
      const {status, stdout, stderr} = pinscope(['history', '--around', 'deadbeef', trace]);
      expect(status).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toContain('--around deadbeef: no finding has this key');
      expect(stderr).toContain('pinscope analyze --by deed --limit 0 lists them all');
    });

    it('says so when the finding is of no page', () => {
      const faults = 'sample-traces/ftrace/hand-made/dma-after-unmap.txt';
      const report = JSON.parse(pinscope(['analyze', '--to', 'json', faults]).stdout) as Report;
      const {key} = report.findings.find(({pages}) => pages.length === 0)!;
      const {status, stderr} = pinscope(['history', '--around', key, faults]);
      expect(status).toBe(2);
      expect(stderr).toContain(`finding ${key} is of no page`);
    });

    it.each(['table', 'mail'])('fits its columns as %s', (form) => {
      const {stdout} = pinscope(['history', '--to', form, '--around', findings()[0]!.key, trace]);
      for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(form === 'mail' ? 75 : 80);
    });
  });

  it('shows the changes of some tasks, CPUs, devices and kinds alone, and marks those that decide', () => {
    const trace = sample('ftrace/unpin-while-dma');
    const shown = (...words: string[]): LifeEntry[] =>
      entries(json<HistoryReport>('history', '--pfn', '0x2fb0', ...words, trace)).filter(
        ({what}) => what !== 'left-out',
      );
    const all = shown();
    expect(all.filter(({decides}) => decides !== undefined).map(({decides}) => decides)).toEqual([
      'F1: pin',
      'F1: dma-map',
      'F1: unpin',
      'F1: dma-unmap',
    ]);
    expect(shown('--comm', 'w*')).toHaveLength(all.length);
    const dma = shown('--device', 'pinbug.0');
    expect(new Set(dma.map(({what}) => what))).toEqual(new Set(['dma-map', 'dma-unmap']));
    expect(shown('--only', 'dma').map(({line}) => line)).toEqual(
      all.filter(({what, decides}) => decides !== undefined || what.startsWith('dma-')).map(({line}) => line),
    );
    const {pages, only} = json<HistoryReport>('history', '--pfn', '0x2fb0', '--only', 'pins,life', trace);
    expect(only).toEqual(['pins', 'life']);
    expect(pages[0]?.generations[0]?.changes_left_out).toBeGreaterThan(1);
    expect(pages[0]?.generations[0]?.windows.every(({kind}) => kind === 'pin')).toBe(true);
    expect(against('pinscope.history.2.json', json('history', '--pfn', '0x2fb0', '--only', 'pins', trace))).toBe('');
    const around = json<HistoryReport>('history', '--around', 'a4a217fa', '--only', 'life', trace);
    expect(entries(around).some(({decides}) => decides !== undefined)).toBe(true);
  });

  it('shows the changes within --time alone, and says how many are not shown', () => {
    const trace = sample('ftrace/unpin-while-dma');
    const report = json<HistoryReport>('history', '--pfn', '0x2fb0', '--time', '17.2322,17.2387', trace);
    expect(against('pinscope.history.2.json', report)).toBe('');
    expect(report.filters).toEqual([{flag: '--time', value: '17.2322,17.2387'}]);
    const [page] = report.pages;
    expect(page).toMatchObject({generations_left_out: 1, generations: [{place: {number: 1, of: 2}}]});
    const shown = entries(report).filter(({what}) => what !== 'left-out');
    expect(shown.map(({what}) => what)).toEqual(['dma-map', 'dropped']);
    const none = pinscope(['history', '--pfn', '0x2fb0', '--time', '17.2390,17.2391', trace]);
    expect(none.status).toBe(2);
    expect(none.stderr).toContain('no change of these pages is within --time');
  });

  it.each([
    [['--pfn', '0x2fb0', '--rule', 'pin-leak'], '--rule with --pfn chooses among findings, and --pfn names the pages'],
    [['--pfn', '0x2fb0', '--pid', '1'], '--pid 1: no task of this trace has this number'],
    [['--pfn', '0x2fb0', '--only', 'pin'], 'did you mean pins?'],
    [['--pfn', '0x2fb0', '--device', 'foo'], '--device foo: no device of this trace is named so'],
    [
      ['--around', 'a4a217fa', '--severity', 'error'],
      '--severity with --around does nothing: --around names one finding',
    ],
    [['--around', 'a4a217fa', '--pfn', '1'], '--pfn with --around'],
    [['--around', 'F1'], 'F1 is a place in one report'],
    [['--comm', 'nobody'], '--comm nobody: no task of this trace is named so'],
    [['--by', 'page'], 'unknown flag --by'],
    [['--finding', 'a4a217fa'], 'unknown flag --finding'],
  ])('refuses %j, which would do nothing', (words, why) => {
    const {status, stdout, stderr} = pinscope(['history', ...words, sample('ftrace/unpin-while-dma')]);
    expect(stderr).toContain(why);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  it('asks for a page or a file where the trace cannot be read twice', () => {
    const text = linesOf('ftrace/unpin-while-dma').join('\n');
    const {status, stderr} = pinscope(['history', '-'], text);
    expect(status).toBe(2);
    expect(stderr).toContain('name the pages with --pfn');
    expect(pinscope(['history', '--pfn', '0x2fb0', '-'], text).status).toBe(0);
    const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-history-'));
    execFileSync('mkfifo', [path.join(dir, 'fifo')]);
    const fifo = pinscope(['history', path.join(dir, 'fifo')]);
    rmSync(dir, {recursive: true});
    expect(fifo.status).toBe(2);
    expect(fifo.stderr).toContain('which a pipe cannot be');
  });

  it('says which pages the trace does not name', () => {
    const {status, stdout, stderr} = pinscope(['history', '--pfn', '0x99999', sample('ftrace/unpin-while-dma')]);
    expect(status).toBe(2);
    expect(stdout).toContain('No event of this trace names 0x99999.');
    expect(stderr).toContain('no event names any of these pages');
  });

  it.each(['table', 'mail'])('fits its columns as %s', (form) => {
    const {stdout} = pinscope([
      'history',
      '--to',
      form,
      '--pfn',
      '0x5c0e0-0x5c0e3',
      sample('ftrace/writeback-while-pinned'),
    ]);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(form === 'mail' ? 75 : 80);
  });
});
