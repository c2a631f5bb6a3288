/** What the list of formats in a trace.dat certifies: trace-cmd writes those of events that `-v` left out too. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, expect, it} from 'vitest';
import {EventKind as K} from '../../src/events/event.js';
import {Silence} from '../../src/proof/silence.js';
import {readTraces} from '../../src/run/read.js';
import {momentOf} from '../../src/ledger/moment.js';
import {traceDat, values, type WrittenFormat} from './trace-dat-writer.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-listed-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const {u32, u64} = values;
const ALLOC: WrittenFormat = {
  system: 'kmem',
  name: 'mm_page_alloc',
  id: 501,
  fields: [
    ['unsigned long pfn', 8, 8],
    ['unsigned int order', 16, 4],
    ['unsigned long gfp_flags', 24, 8],
    ['int migratetype', 32, 4],
  ],
};
const FREE: WrittenFormat = {...ALLOC, name: 'mm_page_free', id: 500, fields: ALLOC.fields.slice(0, 2)};
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
