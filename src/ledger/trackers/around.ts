/**
 * The tables and writers that trackers use, by name: none of them knows the ledger. Each says which it uses; another
 * tracker that it works with is handed to it by itself.
 */
import type {Capture} from '../../capture/capture.js';
import type {Book} from '../book.js';
import type {Hooks} from '../listener.js';
import type {Evidence} from '../tables/evidence.js';
import type {PageTable} from '../tables/page-table.js';
import type {Calls} from './calls.js';

export interface Around {
  /** what was recorded: kinds, clock, kernel, identity, audit, limits */
  readonly capture: Capture;
  readonly pages: PageTable;
  /** tasks, stacks, and events as deeds */
  readonly evidence: Evidence;
  /** the writer of what happens to pages */
  readonly book: Book;
  readonly calls: Calls;
  /** those who are told of changes */
  readonly on: Hooks;
}

/** Some of them. */
export type Uses<K extends keyof Around> = Pick<Around, K>;
