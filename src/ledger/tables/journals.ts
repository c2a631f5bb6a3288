/** The journals of pages that matter: what trackers write changes of a page into. */
import type {TraceEvent} from '../../events/event.js';
import {Journal} from './journal.js';
import {type PageTable, UNKNOWN_COUNT} from './page-table.js';
import type {Tasks} from './tasks.js';

/** Most pages with a journal at a time: memory must not follow a machine's pinned memory without bound. */
const JOURNALS_MAX = 60_000;

export class Journals {
  /** journals not begun because there were too many */
  refused = 0;
  private count = 0;

  constructor(
    private readonly pages: PageTable,
    private readonly tasks: Tasks,
  ) {}

  /** Notes a change in the journal of a row that has one, or begins one. */
  note(row: number, ev: TraceEvent, what: number, delta: number, kind: number, partner: number): void {
    const {pages} = this;
    const journal = pages.journals[row] ?? this.begin(row);
    if (journal === undefined) return;
    const count = pages.count[row]!;
    const raw = count === UNKNOWN_COUNT ? NaN : count;
    journal.add(what, ev.t, ev.cpu, this.tasks.of(ev), ev.input, ev.line, delta, raw, pages.pins[row]!, kind, partner);
  }

  private begin(row: number): Journal | undefined {
    if (this.count >= JOURNALS_MAX) {
      this.refused++;
      return undefined;
    }
    this.count++;
    return (this.pages.journals[row] = new Journal());
  }

  /** Forgets the journal of a row that no longer matters. */
  forget(row: number): void {
    if (this.pages.journals[row] === undefined) return;
    this.pages.journals[row] = undefined;
    this.count--;
  }
}
