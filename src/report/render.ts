/** What every renderer is: a function from a typed result to pieces of text. */
export interface RenderOptions {
  /** colour with meaning, on a terminal that wants it; forms other than the table ignore it */
  color: boolean;
  /** columns of the terminal; mail and pages have their own */
  width: number;
  /** nobody's terminal: nothing is cut to the width, only prose is wrapped to it */
  whole?: boolean;
  /** how many causes, findings, pages or holders are shown; 0 shows all; undefined leaves it to the form */
  limit?: number;
  /** a table of every finding instead of the causes */
  by?: 'deed';
  /** keys of findings that were asked for: shown in full, instead of one of each cause */
  chosen?: readonly string[];
}

/** Pieces of the output in order. Pieces, because a report of a million pages is longer than a string can be. */
export type Renderer<T> = (result: T, options: RenderOptions) => Iterable<string>;

/** `limit` as a number of items: the form's own when not given, all when 0. */
export function shownCount(options: RenderOptions, usual: number, total: number): number {
  const limit = options.limit ?? usual;
  return limit === 0 ? total : Math.min(limit, total);
}
