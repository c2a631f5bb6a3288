/** How many pins were taken is one number, whoever is asked. */
import type {Ledger} from '../../src/ledger/ledger.js';
import {Kind, Mark, What} from '../../src/ledger/tables/entries.js';
import {LedgerRows, type RowSink} from '../../src/readers/export/ledger.js';
import {Followed} from '../../src/readers/history/followed.js';
import {EVERY_PIN} from '../../src/readers/pins/choice.js';
import {PinCollector} from '../../src/readers/pins/collector.js';
import type {Report} from '../../src/results/report.js';
import {analyzeReading} from '../../src/run/analyze.js';
import {optionsFor} from '../rules/analyze-text.js';

/** Pins taken as the lives of all pages tell them. */
function inHistories({book}: Ledger): number {
  const {entries} = book;
  let pins = 0;
  for (const life of book.lives.followed)
    for (const id of entries.of(life)) {
      const earlier = (entries.marks[id]! & (Mark.before | Mark.unseen)) !== 0;
      if (entries.what[id] === What.taken && entries.kind[id] === Kind.pin && !earlier) pins += entries.n[id]!;
    }
  return pins;
}

export interface Counted {
  report: Report;
  /** by who counts */
  pins: Record<string, number>;
  /** what was read when every page was followed */
  ledger: Ledger;
}

/** The report on a trace, and how many pins it, `pins`, the refs of an export, and `history` of all pages count. */
export async function countedByAll(file: string): Promise<Counted> {
  let collector!: PinCollector;
  let refs = 0;
  const sink: RowSink = {
    wants: () => true,
    add(table, row) {
      if (table !== 'refs') return;
      const {kind, n, taken} = row as {kind: string; n: number; taken: {t: number} | null};
      if (kind === 'pin' && taken !== null && Number.isFinite(taken.t)) refs += n;
    },
  };
  const options = optionsFor([file]);
  const {report} = await analyzeReading(options, (ledger) => {
    refs = 0; // a trace that is not in order is read once more
    return [(collector = new PinCollector(ledger, EVERY_PIN)), new LedgerRows(ledger, sink)];
  });
  const {pins} = collector.result().totals;
  const follow = new Followed([{first: 0, last: 2 ** 40}]);
  const {reading} = await analyzeReading({...options, follow}, () => []);
  const {ledger} = reading;
  return {report, pins: {analyze: report.summary.pins, pins, refs, history: inHistories(ledger)}, ledger};
}
