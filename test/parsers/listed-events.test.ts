/** What the list of formats in a trace.dat certifies: trace-cmd writes those of events that `-v` left out too. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, expect, it} from 'vitest';
import {Coverage} from '../../src/capture/coverage.js';
import {EventKind as K} from '../../src/events/event.js';
import {Fn} from '../../src/events/functions.js';
import {Silence} from '../../src/proof/silence.js';
import {readTraces} from '../../src/run/read.js';
import {momentOf} from '../../src/ledger/moment.js';
import {ALLOC, FREE, traceDat, values} from './trace-dat-writer.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-listed-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const {u32, u64} = values;
const of = (id: number) => ({
  id,
  pid: 7,
  payload: Buffer.concat([u64(0x1000 + id), u32(0, 0), u64(0), u32(0)]),
});

async function freesIn(name: string, records: readonly number[]) {
  const file = path.join(dir, name);
  writeFileSync(file, traceDat([ALLOC, FREE], '', records.map(of)));
  const {ledger} = await readTraces(
    {traces: [file], from: undefined, kernel: undefined, pageShift: undefined, vmemmap: undefined},
    () => [],
  );
  const row = ledger.pages.find(0x1000 + 501);
  const doubt = new Silence(ledger).never('freed', momentOf(ledger, row, row), 0, 1e9);
  return {recorded: ledger.capture.records(K.PageFree), doubt: doubt?.why};
}

it('an event that is listed and was never seen may have been left out', async () => {
  const seen = await freesIn('seen.dat', [501, 500]);
  expect(seen).toEqual({recorded: true, doubt: undefined});
  const unseen = await freesIn('unseen.dat', [501]);
  expect(unseen.recorded).toBe(true);
  expect(unseen.doubt).toContain('left out');
});

it('a probe that is listed covers its function only where it was seen', () => {
  const coverage = new Coverage();
  coverage.fact('listed_event', 'gup:try_grab_folio');
  expect([coverage.announced.has('try_grab_folio'), coverage.covers(Fn.try_grab_folio)]).toEqual([true, false]);
  coverage.fact('recorded_event', 'gup:try_grab_folio');
  expect(coverage.covers(Fn.try_grab_folio)).toBe(true);
});
