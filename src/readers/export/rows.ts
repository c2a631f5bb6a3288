/** Rows become columns: what a table's writer is handed, a batch at a time. */
import {CONTEXTS, DEED, type CellKind, type ColumnSpec, type DeedCell, type FileColumn} from './schema.js';
import {fileColumns, type Row, type TableName, TABLES} from './schema.js';

/** Values of a column. */
export type ColumnBatch =
  /** NaN is NULL; each value is `base` and this */
  {type: 'BIGINT' | 'INTEGER'; values: Float64Array; base: bigint} | {type: 'VARCHAR'; values: (string | null)[]};

/** Some rows of a table, in the order of its columns. */
export interface Batch {
  rows: number;
  columns: ColumnBatch[];
}

/** Takes batches of one table, and ends its file. */
export interface BatchWriter {
  write(batch: Batch): void;
  /** All is written: the file is whole, under its hidden name. */
  end(): void;
}

/** How times of the ledger become those of the file; null on clocks that only count. */
export type Epoch = bigint | null;

const FIRST_CAPACITY = 256;
/**
 * Rows wait for so many others of their table before their stacks are taken: the call stack of an event comes after it,
 * and other CPUs' events come between.
 */
const STACK_PATIENCE = 512;

type Filler = {key: string; kind: CellKind; at: number};

/** One table being filled. */
export class TableRows<T extends TableName> {
  readonly columns: FileColumn[];
  /** rows given so far */
  count = 0;
  private readonly writer: BatchWriter;
  private readonly fillers: Filler[];
  private readonly waiting: Row<T>[] = [];
  private oldest = 0;
  private numbers: (Float64Array | undefined)[];
  private texts: ((string | null)[] | undefined)[];
  private rows = 0;
  private capacity = FIRST_CAPACITY;

  /** `epoch` is asked when the first batch is made. `size`: rows of a batch. */
  constructor(
    readonly name: T,
    private readonly traceId: string,
    private readonly epoch: () => Epoch,
    private readonly size: number,
    open: (columns: readonly FileColumn[]) => BatchWriter,
  ) {
    this.columns = fileColumns(name);
    this.writer = open(this.columns);
    this.fillers = fillersOf(TABLES[name].columns);
    this.numbers = this.columns.map((c) => (c.type === 'VARCHAR' ? undefined : new Float64Array(FIRST_CAPACITY)));
    this.texts = this.columns.map((c) => (c.type === 'VARCHAR' ? [] : undefined));
  }

  /** A row; the deeds in it may still get their stack. */
  add(row: Row<T>): void {
    this.count++;
    const {waiting} = this;
    if (waiting.length < STACK_PATIENCE) {
      waiting.push(row);
      return;
    }
    this.take(waiting[this.oldest]!);
    waiting[this.oldest] = row;
    this.oldest = (this.oldest + 1) % STACK_PATIENCE;
  }

  /** After the last row. */
  end(): void {
    const {waiting, oldest} = this;
    for (let i = 0; i < waiting.length; i++) this.take(waiting[(oldest + i) % waiting.length]!);
    waiting.length = 0;
    this.flush();
    this.writer.end();
  }

  private take(row: Row<T>): void {
    if (this.rows === this.capacity) this.grow();
    const {numbers, texts, rows} = this;
    texts[0]![rows] = this.traceId;
    for (const {key, kind, at} of this.fillers) {
      const value = (row as Record<string, unknown>)[key];
      if (kind === 'deed') this.takeDeed(value as DeedCell | null, at);
      else if (kind === 'text') texts[at]![rows] = value as string | null;
      else numbers[at]![rows] = kind === 'int' ? small(value as number | null) : whole(value as number | null);
    }
    if (++this.rows >= this.size) this.flush();
  }

  /** Seven columns from `at` on. A deed of before the trace is none. */
  private takeDeed(deed: DeedCell | null, at: number): void {
    const {numbers, texts, rows} = this;
    const known = deed !== null && deed.t !== -Infinity;
    numbers[at]![rows] = known ? whole(deed.t) : NaN;
    numbers[at + 1]![rows] = known && deed.cpu >= 0 ? small(deed.cpu) : NaN;
    numbers[at + 2]![rows] = known && deed.task >= 0 ? deed.task : NaN;
    texts[at + 3]![rows] = known ? (CONTEXTS[deed.context] ?? null) : null;
    numbers[at + 4]![rows] = known && deed.stack >= 0 ? deed.stack : NaN;
    numbers[at + 5]![rows] = known ? deed.input : NaN;
    numbers[at + 6]![rows] = known && deed.line > 0 ? deed.line : NaN;
  }

  private grow(): void {
    this.capacity = Math.min(this.capacity * 4, this.size);
    this.numbers = this.numbers.map((old) => {
      if (old === undefined) return undefined;
      const values = new Float64Array(this.capacity);
      values.set(old);
      return values;
    });
  }

  private flush(): void {
    const {rows} = this;
    if (rows === 0) return;
    const epoch = this.epoch();
    const kinds = kindsOf(this.name);
    const columns = this.columns.map(({type}, i): ColumnBatch => {
      if (type === 'VARCHAR') return {type, values: this.texts[i]!};
      const values = this.numbers[i]!.subarray(0, rows);
      const timed = kinds[i] === 'time' || kinds[i] === 'span';
      if (timed && epoch === null) values.fill(NaN);
      return {type, values, base: kinds[i] === 'time' && epoch !== null ? epoch : 0n};
    });
    this.writer.write({rows, columns});
    this.texts = this.texts.map((old) => (old === undefined ? undefined : []));
    this.rows = 0;
  }
}

/** NULL for what is not known or not finite; times are whole ns, fractions come of arithmetic only. */
function whole(value: number | null): number {
  return value === null || !Number.isFinite(value) ? NaN : Math.round(value);
}

/** An INTEGER; a number that has no room in 32 bits is none that a kernel prints there. */
function small(value: number | null): number {
  const n = whole(value);
  return n >= -0x80000000 && n <= 0x7fffffff ? n : NaN;
}

function fillersOf(columns: Record<string, ColumnSpec>): Filler[] {
  const out: Filler[] = [];
  let at = 1; // trace_id comes first
  for (const [key, {kind}] of Object.entries(columns)) {
    out.push({key, kind, at});
    at += kind === 'deed' ? Object.keys(DEED).length : 1;
  }
  return out;
}

/** The kind of each column of a table's file. */
function kindsOf(name: TableName): CellKind[] {
  const of = (spec: ColumnSpec): CellKind[] =>
    spec.kind === 'deed' ? Object.values(DEED).map(({kind}) => kind) : [spec.kind];
  return ['text', ...Object.values<ColumnSpec>(TABLES[name].columns).flatMap(of)];
}
