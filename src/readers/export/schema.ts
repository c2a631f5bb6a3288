/**
 * The ledger as tables: their one declaration. Rows, files of every form, views of `pinscope query` and docs/ledger.md
 * follow from it; what the columns promise to those who read them stands there.
 *
 * Only BIGINT, INTEGER and VARCHAR, no unsigned, no nested types, no word that SQL reserves somewhere: Spark makes
 * DECIMAL(20,0) of an unsigned 64-bit number, and `-n` of an unsigned n wraps. Columns are only ever added, at the end of
 * a table, and may be NULL; none is renamed and none changes its type or unit (SCHEMA_VERSION counts the additions).
 */

export const SCHEMA_VERSION = 1;

/**
 * What a row holds under a column's name:
 * `text` a string; `int`, `big` a whole number; `time` a moment, as the ledger has it (distance from the trace's base), which
 * the file has in ns of the trace's clock; `span` a length in ns. Moments and lengths are NULL on clocks that only count.
 * `deed` is seven columns, see DEED.
 */
export type CellKind = 'text' | 'int' | 'big' | 'time' | 'span' | 'deed';

export interface ColumnSpec<K extends CellKind = CellKind> {
  kind: K;
  about: string;
}

export interface TableSpec {
  about: string;
  columns: Record<string, ColumnSpec>;
}

/** Where and when something was done, as in the ledger's own tables; kept as it is, because its stack comes late. */
export interface DeedCell {
  t: number;
  cpu: number;
  task: number;
  context: number;
  stack: number;
  input: number;
  line: number;
}

interface Cells {
  text: string | null;
  int: number | null;
  big: number | null;
  time: number | null;
  span: number | null;
  deed: DeedCell | null;
}

const text = (about: string): ColumnSpec<'text'> => ({kind: 'text', about});
const int = (about: string): ColumnSpec<'int'> => ({kind: 'int', about});
const big = (about: string): ColumnSpec<'big'> => ({kind: 'big', about});
const time = (about: string): ColumnSpec<'time'> => ({kind: 'time', about});
const span = (about: string): ColumnSpec<'span'> => ({kind: 'span', about});
const deed = (about: string): ColumnSpec<'deed'> => ({kind: 'deed', about});
const table = <C extends TableSpec['columns']>(about: string, columns: C): {about: string; columns: C} => ({
  about,
  columns,
});

const pfn = big('the page, or the first of several');
const life = big('the page in that place, as in `lives`');

export const TABLES = {
  traces: table('One row: the trace itself.', {
    schema_version: int('of these tables'),
    tool_version: text('of pinscope'),
    rules_version: text('of its rules: findings of two versions are not the same question'),
    kernel_release: text('as `uname -r`; NULL where nothing tells it'),
    clock_name: text('as in trace_clock: local, global, mono, boot, counter...'),
    clock_unit: text("'ns', or 'ticks' of a clock that counts: then every _ns is NULL and _line orders"),
    start_ns: time('the first event'),
    end_ns: time('the last event'),
    started_unix_ns: big(
      'the wall clock when it began, to lay hosts side by side: of a trace.dat of trace-cmd record --date, a perf.data with clock data, or `pinscope record` (to the second); NULL where the trace does not say it, as tracefs text and what is printed of recordings do not',
    ),
    events: big('events read'),
    pins: big('pins taken (FOLL_PIN), those derived from counts too'),
    gets: big('plain references taken by get_user_pages()'),
    partial: text('why reading stopped early; NULL when it did not'),
    limits: text('what was given up to bound memory, in words; NULL: nothing'),
  }),
  inputs: table('The files or pipes of the trace.', {
    input_id: int('as in every _input_id'),
    path: text('as given'),
    form: text('ftrace, perf-script, trace-dat...'),
    compression: text('none, gzip, zstd, xz'),
    bytes: big('as read from disk or pipe'),
    lines_read: big('lines or records'),
    events: big('events'),
    unrecognised: big('lines that were not understood'),
    sha256: text('of the bytes as read'),
    cut: text('why it ended early; NULL when it did not'),
  }),
  losses: table('Events that are missing, and where: nothing that reaches into one of these is sure.', {
    cpu: int('whose events; NULL: of any'),
    from_ns: time('NULL: from the start'),
    to_ns: time('NULL: to the end'),
    why: text('in words'),
    line: big('where the trace tells it; NULL: inferred'),
  }),
  rules: table('Which rules could run: no finding of a rule that did not run means nothing.', {
    rule: text('its id'),
    status: text("'ran', 'partial', 'not-run'"),
    missing: text('events that it lacks, with commas; NULL: none'),
  }),
  tasks: table('Tasks by pid and comm.', {
    task_id: int('as in every _task_id'),
    comm: text('as the trace prints it'),
    pid: int('the thread; NULL unknown'),
    tgid: int('the process; NULL unknown'),
  }),
  stacks: table('Call stacks.', {
    stack_id: int('as in every _stack_id'),
    stack_hash: text(
      'of the callers, by function, without the tracer, gup and the way in from user space: the same in other boots',
    ),
    folded: text('the functions, outermost first, with semicolons between, as flame graphs take them'),
    place: text('the innermost caller: who asked for the page, or let go of it'),
  }),
  frames: table('The frames of each stack.', {
    stack_id: int('of the stack'),
    depth: int('0 is the innermost'),
    symbol: text('the function'),
    frame: text('as printed'),
  }),
  devices: table('Devices that mapped or unmapped.', {
    device_id: int('as in every device_id'),
    device: text('its name'),
    maps: big('mappings made'),
    unmaps: big('mappings ended; 0 of many maps: the driver never unmaps (dma_need_unmap() is false)'),
  }),
  lives: table(
    'A PFN is a place; a life is a page in it, from allocation to free. Those that held or bore something.',
    {
      life_id: big('as in every life_id'),
      pfn,
      generation: int('how many pages lived in that place before, as far as seen'),
      folio_order: int('log2 of its pages'),
      seen_ns: time('when it first held something'),
      ended_ns: time('its free, or its being handed out again'),
      ended: text("'freed', 'reused' (its free was not seen), 'open' (at the end of the trace)"),
      dev: text('of its file, major:minor'),
      ino: big('of its file'),
      page_index: big('in its file, in pages'),
    },
  ),
  refs: table(
    'One row for each part of a taking and what became of it: a taking of 16 that is dropped as 10 and 6 is two rows.',
    {
      ref_id: big('the taking; unique with `part`'),
      part: int('0, 1...'),
      kind: text("'pin' (FOLL_PIN), 'get' (FOLL_GET)"),
      n: int('references'),
      known_by: text(
        "how the kind is known: 'probe', 'delta', 'stack', 'count', 'guess'; NULL of a drop with no taking",
      ),
      life_id: life,
      pfn,
      folio_pfn: big('the head of its folio'),
      folio_order: int('log2 of the pages of its folio'),
      taken: deed('its taking; NULL: before the trace, or unseen'),
      ended: text(
        "'dropped', 'dropped-unmatched' (no taking was seen), 'withdrawn' (the grab failed), 'page-freed', 'page-reused', 'open'",
      ),
      dropped: deed('its drop, or the free of the page'),
      held_ns: span('from taking to drop'),
      paired: text("how the drop was found to be this one's, in words"),
      gup_flags: int('FOLL_* as traced'),
      device_id: int('a device that could write it through a mapping made under it'),
      request_id: big('the call that took it'),
    },
  ),
  requests: table('Calls of pin_user_pages() and its kin, where they are probed.', {
    request_id: big('as in refs'),
    task_id: int('who called'),
    gup_flags: int('FOLL_* as traced'),
    pages_pinned: int('what it returned'),
    returned: deed('its return'),
  }),
  dma_windows: table('DMA mappings, from map to end.', {
    window_id: big('as in dma_pages'),
    device_id: int('of the mapping'),
    dir: text("'BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE', 'NONE'"),
    dma_addr: big('bus address; NULL of lists, and where it has bit 63'),
    bytes: big('its size'),
    pages: int('pages that are followed'),
    first_pfn: big('the first of them'),
    mapped: deed('the map'),
    ended: text(
      "'unmapped', 'open' (at the end of the trace), 'in-call' (an iommu:map inside a dma_map_*() call, which has a row of its own)",
    ),
    unmapped: deed('the unmap'),
    mapped_for_ns: span('from map to end'),
    truncated: int('1: the list was cut in the trace, pages are missing'),
    iommu_only: int('1: seen as iommu:map only, device and direction are not known'),
  }),
  dma_pages: table('Which pages a mapping covers.', {
    window_id: big('the mapping'),
    life_id: life,
    pfn,
    owner: text("under what it was mapped: 'pin', 'get', 'writeback', 'ambiguous', 'none'"),
  }),
  writebacks: table('Pages under writeback.', {
    life_id: life,
    pfn,
    exact: int('1: seen by a probe; 0: bounded by the flags that other events print'),
    started: deed('the start, or the first event that shows it'),
    finished: deed('the end'),
    lasted_ns: span('from start to end'),
  }),
  dirtyings: table('Pages marked dirty, and cleaned for writeback while they held something.', {
    life_id: life,
    pfn,
    what: text("'dirty', 'clean'"),
    done: deed('the deed'),
  }),
  findings: table('What `pinscope analyze` reports.', {
    finding_id: text("'F1', 'F2'...: its place in the report"),
    finding_key: text('the same in every run over the same trace: `pinscope analyze --finding KEY`'),
    rule: text('its id'),
    severity: text("'error', 'warning', 'note'"),
    verdict: text("'sure', 'possible'"),
    reason: text('why only possible'),
    message: text('in one sentence'),
    start_ns: time('of the first occurrence'),
    end_ns: time('of the last; NULL: open'),
    at_ns: time('the moment that makes it one: the unpin, the start of the writeback...'),
    distance_ns: span('between its two deciding events, where it has two'),
    occurrences: int('over all pages'),
    pages: int('pages'),
    device: text('of the mapping that decides'),
    page_kind: text("what the first page was at that moment: 'file', 'anonymous', 'unknown'"),
    dev: text("of the first page's file"),
    ino: text('of that file'),
    page_index: text('in that file'),
    cause: text('what is the same in another trace of the same bug: rule|device|who took|who dropped|who did the rest'),
    taken_by: text('who took, by the call stack or the probed function where known, else by comm'),
    dropped_by: text('who unpinned, put or freed'),
    acted_by: text('who did the rest: wrote back, marked dirty, mapped'),
  }),
  finding_pages: table('The pages of each finding.', {
    finding_id: text('the finding'),
    pfn,
    folio_order: int('log2 of its pages'),
    start_ns: time('on this page'),
    end_ns: time('on this page; NULL: open'),
    occurrences: int('on this page'),
  }),
  finding_tasks: table('The tasks of each finding.', {
    finding_id: text('the finding'),
    role: text('pin, unpin, dma-map...'),
    comm: text('of the task'),
    pid: int('of the task'),
  }),
  evidence: table('The lines that prove each finding, in order.', {
    finding_id: text('the finding'),
    seq: int('0, 1...'),
    role: text('what the line shows'),
    input_id: int('where it stands'),
    line: big('where it stands'),
    t_ns: time('of the line'),
    cpu: int('of the line'),
    comm: text('of the line'),
    pid: int('of the line'),
    text: text('the line as it stands'),
  }),
} as const satisfies Record<string, TableSpec>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** A row of a table, without its trace_id, which all rows of a trace share. */
export type Row<T extends TableName> = {
  [C in keyof (typeof TABLES)[T]['columns']]: (typeof TABLES)[T]['columns'][C] extends ColumnSpec<infer K>
    ? Cells[K]
    : never;
};

/** The columns that a deed becomes, after the name of its column: `taken` is `taken_ns`, `taken_cpu`... */
export const DEED = {
  ns: {kind: 'time', about: 'when'},
  cpu: {kind: 'int', about: 'where'},
  task_id: {kind: 'int', about: 'by whom (in an interrupt: whom it interrupted)'},
  context: {kind: 'text', about: "'task', 'softirq', 'hardirq', 'nmi'"},
  stack_id: {kind: 'int', about: 'the call stack'},
  input_id: {kind: 'int', about: 'where the line stands'},
  line: {kind: 'big', about: 'where the line stands'},
} as const satisfies Record<string, ColumnSpec>;

export const CONTEXTS = ['task', 'softirq', 'hardirq', 'nmi'] as const;

export type SqlType = 'BIGINT' | 'INTEGER' | 'VARCHAR';

/** A column as files have it. */
export interface FileColumn {
  name: string;
  type: SqlType;
  about: string;
}

const SQL_TYPE: Record<Exclude<CellKind, 'deed'>, SqlType> = {
  text: 'VARCHAR',
  int: 'INTEGER',
  big: 'BIGINT',
  time: 'BIGINT',
  span: 'BIGINT',
};

/** The columns of a table's file, trace_id first. */
export function fileColumns(name: TableName): FileColumn[] {
  const out: FileColumn[] = [
    {name: 'trace_id', type: 'VARCHAR', about: 'the trace: every join is by (trace_id, X_id)'},
  ];
  for (const [column, {kind, about}] of Object.entries<ColumnSpec>(TABLES[name].columns)) {
    if (kind !== 'deed') out.push({name: column, type: SQL_TYPE[kind], about});
    else {
      for (const [part, spec] of Object.entries(DEED))
        out.push({name: `${column}_${part}`, type: SQL_TYPE[spec.kind], about: `${about}: ${spec.about}`});
    }
  }
  return out;
}
