/** Every question that comes with `pinscope query` gives what report, pins and history say of the same trace. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {HistoryReport} from '../../src/results/history.js';
import type {PinsReport} from '../../src/results/pins.js';
import type {Finding, Report} from '../../src/results/report.js';
import {SAVED} from '../../src/query/saved.js';
import {json} from '../commands/pinscope.js';
import {ledgerOf, sample, temporaryFolder} from '../export/ledger.js';
import {duck} from '../export/readers.js';
import {ask, over, saved} from './asked.js';

const STACKS = sample('ftrace/call-stacks.txt.gz');
const MISUSE = sample('ftrace/misuse-6.12-page_ref.txt.gz');
const WRITEBACK = sample('ftrace/writeback-while-pinned.txt.gz');
const LOSSES = sample('ftrace/lost-events.txt.gz');

const pagesOf = (findings: readonly Finding[], rule: string): string[] =>
  [...new Set(findings.filter((f) => f.rule === rule).flatMap((f) => f.pages.map((p) => p.pfn)))].sort();

const distinct = (values: readonly unknown[]): string[] => [...new Set(values.map(String))].sort();

test.skipIf(duck !== undefined)('DuckDB is not installed here: the questions were not asked', () => undefined);

describe.skipIf(duck === undefined)('pinscope query --saved', () => {
  const tried = new Set<string>();
  const question = (name: string, check: () => Promise<void>): void => {
    tried.add(name);
    test(name, check);
  };
  /** The ledger of a sample is written once; each question has a database of its own over it. */
  const ledgers = new Map<string, {folder: string; report: Report}>();
  const folders = mkdtempSync(path.join(tmpdir(), 'pinscope-saved-'));
  afterAll(() => rmSync(folders, {recursive: true}));
  const asked = async (trace: string) => {
    let ledger = ledgers.get(trace);
    if (ledger === undefined) {
      const folder = path.join(folders, path.basename(trace));
      ledger = {folder, report: (await ledgerOf(trace, folder)).report};
      ledgers.set(trace, ledger);
    }
    return {report: ledger.report, database: await over(ledger.folder)};
  };
  let pins!: PinsReport;
  beforeAll(() => {
    pins = json('pins', MISUSE);
  });

  question('who-pins', async () => {
    const {database} = await asked(MISUSE);
    const rows = await saved(database, 'who-pins');
    const tasks = pins.tasks.map(({task, pins: n, pages}) => [task?.comm, task?.pid, String(n), String(pages)]);
    expect(rows.map(({comm, pid, pins: n, pages}) => [comm, pid, n, pages])).toEqual(tasks);
    expect(rows.map(({max_ns}) => max_ns)).toEqual(pins.tasks.map(({hold}) => hold?.max_ns));
  });

  question('stack-pairs', async () => {
    const {database} = await asked(STACKS);
    const rows = await saved(database, 'stack-pairs');
    const by = json<PinsReport>('pins', STACKS, '--limit', '0').stacks;
    const sums = new Map<string, number>();
    for (const row of rows) {
      if (row['dropped_in'] === 'dropped-unmatched' || row['taken_in'] === null) continue;
      sums.set(String(row['taken_in']), (sums.get(String(row['taken_in'])) ?? 0) + Number(row['pins']));
    }
    const folded = by.map(({stack, pins: n}): [string, number] => [
      stack === null
        ? 'null'
        : stack
            .map((frame) => frame.replace(/[+ ].*/, ''))
            .toReversed()
            .join(';'),
      n,
    ]);
    const merged = new Map<string, number>();
    for (const [stack, n] of folded) merged.set(stack, (merged.get(stack) ?? 0) + n);
    expect(merged.size).toBeGreaterThan(0);
    expect(sums).toEqual(merged);
  });

  question('still-pinned', async () => {
    const {database} = await asked(MISUSE);
    const rows = await saved(database, 'still-pinned');
    expect(rows.reduce((sum, row) => sum + Number(row['pins']), 0)).toBe(pins.totals.held_at_end);
    const lines = pins.longest.filter((pin) => pin.end_ns === null).map((pin) => `${pin.pfn} ${pin.line}`);
    const found = rows.map((row) => `${row['page']} ${row['taken_line']}`);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(found).toContain(line);
  });

  question('live-pins', async () => {
    const {database} = await asked(MISUSE);
    const rows = await saved(database, 'live-pins');
    expect(Math.max(...rows.map((row) => Number(row['live'])))).toBe(pins.live?.peak);
    const [peak] = await ask(database, 'SELECT max(live) AS live, arg_max(t_ns, live) AS t_ns FROM live_pins');
    expect(peak?.['t_ns']).toBe(pins.live?.peak_ns);
  });

  question('page-life', async () => {
    const {database, report} = await asked(MISUSE);
    for (const pfn of pagesOf(report.findings, 'unpin-while-dma').slice(0, 3)) {
      const history = json<HistoryReport>('history', MISUSE, '--pfn', pfn);
      const rows = await saved(database, 'page-life', Number(pfn));
      // The ledger tells takings as they turned out; a grab that was no pin after all is told by history only.
      const entries = history.pages.flatMap((page) => page.generations.flatMap((life) => life.entries));
      const lines = (kinds: string[]) =>
        distinct(
          entries.filter((e) => kinds.includes(`${e.what} ${e.kind}`) || kinds.includes(e.what)).map((e) => e.line),
        );
      const ofLedger = (like: RegExp) =>
        distinct(
          rows.filter((row) => like.test(String(row['what'])) && row['line'] !== null).map((row) => row['line']),
        );
      // of a probe and the page_ref event of one deed, history shows both lines and the ledger has one
      for (const [like, kind] of [
        [/^pin taken$/, 'taken pin'],
        [/^pin dropped/, 'dropped pin'],
      ] as const) {
        const mine = ofLedger(like);
        expect(mine.length).toBeGreaterThan(0);
        expect(lines([kind])).toEqual(expect.arrayContaining(mine));
      }
      expect(ofLedger(/^dma (?!over)/)).toEqual(lines(['dma-map']));
      expect(ofLedger(/^dma over$/)).toEqual(lines(['dma-unmap']));
    }
  });

  question('unpinned-while-mapped', async () => {
    for (const trace of [MISUSE, STACKS]) {
      const {database, report} = await asked(trace);
      const rows = await saved(database, 'unpinned-while-mapped');
      const pages = pagesOf(report.findings, 'unpin-while-dma');
      expect(pages.length).toBeGreaterThan(0);
      expect(distinct(rows.map((row) => row['page']))).toEqual(pages);
    }
  });

  question('unmap-to-unpin', async () => {
    const {database} = await asked(MISUSE);
    const rows = await saved(database, 'unmap-to-unpin');
    expect(rows.length).toBe(pins.unmap_to_unpin.length);
    for (const {device, times} of pins.unmap_to_unpin)
      expect(rows.find((row) => row['device'] === device)?.['closest_ns']).toBe(times.min_ns);
  });

  question('written-back-while-pinned', async () => {
    const {database, report} = await asked(WRITEBACK);
    const rows = await saved(database, 'written-back-while-pinned');
    const pages = pagesOf(report.findings, 'writeback-while-pinned');
    expect(pages.length).toBeGreaterThan(0);
    expect(distinct(rows.map((row) => row['page']))).toEqual(expect.arrayContaining(pages));
    const finding = report.findings.find((f) => f.rule === 'writeback-while-pinned' && f.file !== undefined);
    const {dev, ino, index} = finding!.file!;
    const row = rows.find((one) => one['page'] === finding!.pages[0]!.pfn);
    expect(row).toMatchObject({dev, ino, page_index: index});
  });

  question('findings-with-lines', async () => {
    const {database, report} = await asked(MISUSE);
    const rows = await saved(database, 'findings-with-lines');
    expect(rows.map((row) => [row['finding_id'], row['finding_key'], row['message'], row['lines']])).toEqual(
      report.findings.map((f) => [f.id, f.key, f.message, f.evidence.map((e) => `${e.line}: ${e.text}`).join('\n')]),
    );
  });

  question('what-is-missing', async () => {
    const {database, report} = await asked(LOSSES);
    const rows = await saved(database, 'what-is-missing');
    const limited = report.rules.filter((rule) => rule.status !== 'ran').map((rule) => rule.id);
    expect(distinct(rows.filter((row) => row['what'] !== 'loss').map((row) => row['rule']))).toEqual(limited.sort());
    const lost = rows.filter((row) => row['what'] === 'loss');
    expect(lost.length).toBeGreaterThan(0);
    const possible = report.findings.filter((f) => f.verdict === 'possible').map((f) => f.id);
    expect(possible).toEqual(expect.arrayContaining([lost[0]!['finding_id']]));
  });

  question('causes', async () => {
    const {database, report} = await asked(MISUSE);
    const rows = await saved(database, 'causes');
    const wanted = report.causes.map((c) => `${c.rule}|${c.device ?? ''} ${c.findings} ${c.sure} ${c.occurrences}`);
    const got = rows.map(
      (row) =>
        `${String(row['cause']).split('|').slice(0, 2).join('|')} ${row['findings']} ${row['sure']} ${row['times']}`,
    );
    expect(got.sort()).toEqual(wanted.sort());
  });

  question('same-place', async () => {
    const [one, other] = [temporaryFolder(), temporaryFolder()];
    const a = await ledgerOf(MISUSE, one);
    const b = await ledgerOf(sample('ftrace/misuse-6.12-probes.txt.gz'), other);
    const rows = await saved(await over(one, other), 'same-place');
    const pinsOf = (id: string): number =>
      rows
        .filter((row) => row['one'] === id || row['other'] === id)
        .reduce((sum, row) => sum + Number(row[row['one'] === id ? 'pins' : 'other_pins']), 0);
    expect(rows.map((row) => row['place'])).toContain('wl');
    expect(pinsOf(a.traceId)).toBeLessThanOrEqual(a.report.summary.pins);
    expect(pinsOf(b.traceId)).toBeLessThanOrEqual(b.report.summary.pins);
    const wl = rows.find((row) => row['place'] === 'wl')!;
    const mine = wl[wl['one'] === a.traceId ? 'pins' : 'other_pins'];
    expect(Number(mine)).toBe(pins.tasks.find(({task}) => task?.comm === 'wl')?.pins);
  });

  test('all of them are tried here', () => {
    expect([...tried].sort()).toEqual(SAVED.map(({name}) => name).sort());
  });
});
