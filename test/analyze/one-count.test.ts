/** How many pins were taken is one number, whoever is asked. */
import {readdirSync} from 'node:fs';
import path from 'node:path';
import {expect, it} from 'vitest';
import type {Ledger} from '../../src/ledger/ledger.js';
import {Kind, Mark, What} from '../../src/ledger/tables/entries.js';
import {LedgerRows, type RowSink} from '../../src/readers/export/ledger.js';
import {Followed} from '../../src/readers/history/followed.js';
import {EVERY_PIN, PinCollector} from '../../src/readers/pins/collector.js';
import {analyzeReading} from '../../src/run/analyze.js';
import {optionsFor} from '../rules/analyze-text.js';

const root = 'sample-traces';
const samples = readdirSync(root, {recursive: true, encoding: 'utf8'})
  .filter((name) => /\.(?:txt(?:\.gz)?|dat\.xz|data\.xz)$/.test(name))
  .sort();

/** Pins taken as the lives of all pages tell them. */
function inHistories({book}: Ledger): number {
  const {entries} = book;
  let pins = 0;
  for (const life of book.followed)
    for (const id of entries.of(life)) {
      const earlier = (entries.marks[id]! & (Mark.before | Mark.unseen)) !== 0;
      if (entries.what[id] === What.taken && entries.kind[id] === Kind.pin && !earlier) pins += entries.n[id]!;
    }
  return pins;
}

it.each(samples)('%s: analyze, pins, history and the refs of an export count the same pins', async (name) => {
  let pins!: PinCollector;
  let refs = 0;
  const sink: RowSink = {
    wants: () => true,
    add(table, row) {
      if (table !== 'refs') return;
      const {kind, n, taken} = row as {kind: string; n: number; taken: {t: number} | null};
      if (kind === 'pin' && taken !== null && Number.isFinite(taken.t)) refs += n;
    },
  };
  const {report, reading} = await analyzeReading(
    {...optionsFor([path.join(root, name)]), follow: new Followed([{first: 0, last: 2 ** 40}])},
    (ledger) => [(pins = new PinCollector(ledger, EVERY_PIN)), new LedgerRows(ledger, sink)],
  );
  const counts = {
    analyze: report.summary.pins,
    pins: pins.result().totals.pins,
    history: inHistories(reading.ledger),
    refs,
  };
  const {analyze} = counts;
  expect(counts).toEqual({analyze, pins: analyze, history: analyze, refs: analyze});
});
