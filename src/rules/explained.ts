/** Pages whose leaked references another finding explains: what a put on a pin, or an unpin too many, left behind. */
import type {PageTable} from '../ledger/tables/page-table.js';

export class Explained {
  /** by row: the generation that is explained */
  private readonly rows = new Map<number, number>();

  constructor(private readonly pages: PageTable) {}

  /** A finding is about the page that lives in a row now. */
  add(row: number): void {
    this.rows.set(row, this.pages.generation[row]!);
  }

  has(row: number): boolean {
    return this.rows.get(row) === this.pages.generation[row];
  }
}
