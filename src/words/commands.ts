/**
 * Commands that a reader of a report types next: to see the deciding lines in the trace, the page's history about them, and the
 * same rows by SQL. Traces are named without their folders. Texts are for a POSIX shell.
 */
import type {Finding, Report, ReportInput} from '../results/report.js';
import {nounOf} from './place.js';
import {commandText} from './words.js';

/** Flags that say what a trace is: without them another run reads it otherwise, and its findings have other keys. */
const ABOUT_TRACE = ['--from', '--prefix', '--kernel', '--page-shift', '--vmemmap', '--clock', '--kallsyms'];

/** Most lines that one command names. */
const LINES = 40;

const UNPACK = {none: null, gzip: 'zcat', xz: 'xzcat', zstd: 'zstdcat'} as const;

/** Questions of `pinscope query --saved` that ask for the pattern of a rule. */
const SAVED_FOR: Record<string, string> = {
  'unpin-while-dma': 'unpinned-while-mapped',
  'writeback-while-pinned': 'written-back-while-pinned',
  'pin-leak': 'still-pinned',
};

type Traces = Pick<Report, 'command' | 'inputs'>;

/** `pinscope history --around a6974da5 trace.txt`: `words` and the traces, with what the report's own command said of them. */
export function commandOn(report: Traces, words: readonly string[]): string {
  return commandText(['pinscope', ...wordsOn(report, words)]);
}

/** The same without the program's name, one word each. */
export function wordsOn({command, inputs}: Traces, words: readonly string[]): string[] {
  return [...words, ...aboutTrace(command), ...inputs.map(({path}) => fileWord(path))];
}

function aboutTrace(command: readonly string[]): string[] {
  return command.flatMap((word, at) => {
    const flag = ABOUT_TRACE.find((name) => word === name || word.startsWith(`${name}=`));
    if (flag === undefined) return [];
    const value = command[at + 1];
    return word === flag && value !== undefined ? [word, value] : [word];
  });
}

/** A path without folders; never one that a command takes for a flag. */
function fileWord(path: string): string {
  if (path === '-') return '-';
  const name = path.split('/').at(-1) ?? path;
  return name.startsWith('-') ? `./${name}` : name;
}

/** `zcat trace.txt.gz | sed -n '3620p;3641p'`; null of a recording, which has no lines, and of standard input. */
export function linesCommand(input: ReportInput | undefined, lines: readonly number[]): string | null {
  if (input === undefined || input.path === '-' || nounOf(input) !== 'line') return null;
  const wanted = [...new Set(lines)]
    .filter((line) => line > 0)
    .toSorted((a, b) => a - b)
    .slice(0, LINES);
  if (wanted.length === 0) return null;
  const file = fileWord(input.path);
  const script = wanted.map((line) => `${line}p`).join(';');
  const unpack = UNPACK[input.compression];
  if (unpack === null) return commandText(['sed', '-n', script, file]);
  return `${commandText([unpack, file])} | ${commandText(['sed', '-n', script])}`;
}

/** SQL that gives the deciding lines of one finding out of the ledger. */
export function evidenceSql(key: string): string {
  return `SELECT seq, role, line, text FROM evidence JOIN findings USING (trace_id, finding_id) WHERE finding_key = '${key}' ORDER BY seq`;
}

/** `pinscope query ... trace.txt`: the deciding lines by SQL. */
export function queryCommand(report: Traces, {key}: Pick<Finding, 'key'>): string {
  return commandOn(report, ['query', evidenceSql(key)]);
}

/** `pinscope query --saved unpinned-while-mapped trace.txt`: the rule's pattern asked of the ledger; null where there is no such question. */
export function savedCommand(report: Traces, {rule}: Pick<Finding, 'rule'>): string | null {
  const saved = SAVED_FOR[rule];
  return saved === undefined ? null : commandOn(report, ['query', '--saved', saved]);
}
