/**
 * The flags that mean the same everywhere (contract), in groups that commands put together, and what they become.
 */
import * as Flags from '@oclif/core/flags';
import type {Pattern} from '../../parsers/prefix/pattern.js';
import {UserError} from '../io/user-error.js';
import type {Severity} from '../results/report.js';
import type {FailOn} from './exit.js';
import type {KernelVersion, Selection} from '../base/selection.js';
import * as values from './values.js';

/** Input forms that --from can force. */
export const INPUT_FORMS = [
  'ftrace',
  'trace-dat',
  'perf-data',
  'trace-cmd',
  'perf-script',
  'bpftrace',
  'bpftrace-json',
  'dmesg',
  'mail',
] as const;
export type InputForm = (typeof INPUT_FORMS)[number];

/** Output forms that --to knows. */
export const OUTPUT_FORMS = ['table', 'mail', 'markdown', 'json', 'ndjson', 'html'] as const;
export type OutputForm = (typeof OUTPUT_FORMS)[number];
/** Forms of results that are for reading and for scripts, not for browsers. */
export const TEXT_FORMS = ['table', 'mail', 'markdown', 'json'] as const;
/** Forms of results that nobody mails. */
export const PLAIN_FORMS = ['table', 'json'] as const;
/** Those, and stacks for flame graphs. */
export const PINS_FORMS = [...TEXT_FORMS, 'folded'] as const;
/** Forms of `pinscope export`. */
export const EXPORT_FORMS = ['parquet', 'csv', 'ndjson', 'perfetto'] as const;
/** Forms of the answer to a question in SQL. */
export const QUERY_FORMS = ['table', 'json', 'ndjson', 'csv'] as const;
/** Whatever --to means to some command. */
export type AnyForm =
  OutputForm | (typeof PINS_FORMS)[number] | (typeof EXPORT_FORMS)[number] | (typeof QUERY_FORMS)[number];

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];
/** kernel/trace/trace.c, trace_clocks[]; perf record -k has CLOCK_MONOTONIC and CLOCK_MONOTONIC_RAW, which are mono and mono_raw */
const CLOCKS = [
  'local',
  'global',
  'counter',
  'uptime',
  'perf',
  'mono',
  'mono_raw',
  'boot',
  'tai',
  'x86-tsc',
  'ppc-tb',
] as const;
const COLORS = ['auto', 'always', 'never'] as const;

/** What goes to the pipeline: which form, which facts the trace may lack. */
export interface InputOptions {
  /** undefined: detect */
  from: InputForm | undefined;
  /** what stands before the event in lines of one's own program; undefined: worked out */
  prefix: Pattern | undefined;
  kernel: KernelVersion | undefined;
  pageShift: number | undefined;
  vmemmap: bigint | undefined;
  /** trace_clock */
  clock: string | undefined;
  /** lossy or partly unread input ends with status 3 */
  strict: boolean;
}

/** How findings are summed up. */
export const SUMS = ['cause', 'deed', 'page', 'task', 'file'] as const;
export type SumBy = (typeof SUMS)[number];

/** Flags that leave findings out; the report tells them as they were typed. */
const FILTERS = ['pfn', 'time', 'pid', 'comm', 'cpu', 'device', 'inode', 'rule', 'severity', 'finding'];

export interface FindingOptions {
  /** ids; empty for all. Checked against the registry by the command. */
  rules: string[];
  /** findings below it are not shown */
  severity: Severity;
  by: SumBy;
  /** keys, or how they begin, of findings to show in full; empty for none */
  chosen: string[];
  /** the filters as typed */
  filters: {flag: string; value: string}[];
  /** undefined: the form's own; 0: all */
  limit: number | undefined;
  failOn: FailOn;
  longPin_ns: number;
  /** path of a suppression file */
  suppress: string | undefined;
}

export interface OutputOptions<F extends AnyForm = OutputForm> {
  to: F;
  /** path, or undefined for standard output */
  output: string | undefined;
  /** whether to colour, decided: never in files, pipes or under NO_COLOR unless --color always */
  color: boolean;
  quiet: boolean;
  /** remarks on what was read and how, on standard error */
  verbose: boolean;
  /** columns of the terminal; of what no terminal reads, where prose is wrapped */
  width: number;
  /** no terminal reads it: tables are not cut to the width */
  whole: boolean;
  /** the digest of the input is told in every form */
  sha256: boolean;
}

/** A flag that may be repeated, or hold a comma-separated list, without swallowing the words after it. */
const list = (summary: string, helpValue: string, helpGroup: string) =>
  Flags.string({summary, helpValue, helpGroup, multiple: true, multipleNonGreedy: true});

export const inputFlags = {
  from: Flags.string({
    summary: `input form, instead of detecting it: ${INPUT_FORMS.join(', ')}`,
    helpValue: 'FORM',
    helpGroup: 'INPUT',
  }),
  prefix: Flags.string({
    summary: "what stands before the event in lines of one's own program, as '[%cpu] %comm/%tid %nsecs: '",
    helpValue: 'PATTERN',
    helpGroup: 'INPUT',
  }),
  kernel: Flags.string({
    summary: 'kernel that made the trace, where it does not say',
    helpValue: 'X.Y',
    helpGroup: 'INPUT',
  }),
  'page-shift': Flags.string({summary: 'log2 of the page size, 12 when not given', helpValue: 'N', helpGroup: 'INPUT'}),
  vmemmap: Flags.string({
    summary: 'address of the first struct page (vmemmap_base), instead of finding it',
    helpValue: 'ADDR',
    helpGroup: 'INPUT',
  }),
  clock: Flags.string({
    summary: 'trace_clock that the trace was recorded with, where it does not say: mono, local, global, boot...',
    helpValue: 'NAME',
    helpGroup: 'INPUT',
  }),
  strict: Flags.boolean({summary: 'lossy or partly unread input is an error (status 3)', helpGroup: 'INPUT'}),
};

/** Named for those who read the list: oclif looks for it, wherever it stands, before a command is run. */
export const helpFlag = Flags.boolean({char: 'h', summary: 'show this'});

/** `forms`: those that the command has. */
export const formFlags = (forms: readonly AnyForm[]) => ({
  to: Flags.string({summary: `output form: ${forms.join(', ')}`, helpValue: 'FORM', helpGroup: 'OUTPUT'}),
  json: Flags.boolean({summary: 'short for --to json', helpGroup: 'OUTPUT'}),
  output: Flags.string({
    char: 'o',
    summary: 'write there instead of standard output',
    helpValue: 'FILE',
    helpGroup: 'OUTPUT',
  }),
  color: Flags.string({summary: 'auto, always or never', helpValue: 'WHEN', helpGroup: 'OUTPUT', default: 'auto'}),
  help: helpFlag,
});

export const outputFlags = (forms: readonly AnyForm[]) => ({
  ...formFlags(forms),
  quiet: Flags.boolean({char: 'q', summary: 'no progress and no remarks', helpGroup: 'OUTPUT'}),
  verbose: Flags.boolean({char: 'v', summary: 'say what was read, and how it was understood', helpGroup: 'OUTPUT'}),
  sha256: Flags.boolean({
    summary: 'tell the SHA-256 of the input in every form (mail, markdown and html always do)',
    helpGroup: 'OUTPUT',
  }),
});

export const selectionFlags = {
  pfn: list('only these pages: numbers and ranges, 0x for hex', 'P[,P-P...]', 'SELECTION'),
  time: Flags.string({
    summary: 'only what touches this span: times as printed in the trace, or shares of it (10%); B may be +5ms',
    helpValue: 'A,B',
    helpGroup: 'SELECTION',
  }),
  pid: list('only these tasks', 'PID[,PID...]', 'SELECTION'),
  comm: list('only tasks of this name; * and ? as in a shell', 'NAME[,NAME...]', 'SELECTION'),
  cpu: list('only these CPUs', 'N[,N-N...]', 'SELECTION'),
  device: list('only these DMA devices; * and ? as in a shell', 'NAME[,NAME...]', 'SELECTION'),
  inode: list('only pages of these files', '[MAJ:MIN/]INO', 'SELECTION'),
};

/** `what`: of which at most so many are shown. */
export function limitFlag(what: string) {
  return Flags.string({summary: `show at most so many ${what}, 0 for all`, helpValue: 'N', helpGroup: 'OUTPUT'});
}

/** For results that show call stacks. */
export const kallsymsFlag = Flags.string({
  summary: 'symbols for bare addresses in stacks: a copy of /proc/kallsyms',
  helpValue: 'FILE',
  helpGroup: 'OUTPUT',
});

/** For `pinscope history`. */
export const aroundFlag = Flags.string({
  summary: 'only what is around the deciding lines of this finding, by its key',
  helpValue: 'KEY',
  helpGroup: 'SELECTION',
});

/** Kinds of changes that --only names. */
export const CHANGES = ['pins', 'gets', 'dma', 'writeback', 'dirty', 'life', 'counts'] as const;

export const onlyFlag = list(`only changes of these kinds: ${CHANGES.join(', ')}`, 'KIND[,KIND...]', 'SELECTION');

export function onlyKinds(given: readonly string[] | undefined): (typeof CHANGES)[number][] {
  if (given === undefined || given.length === 0) return [];
  const kinds = values.parseList('only', given.join(','), 'pins,dma');
  return kinds.map((kind) => values.parseWord('only', kind, CHANGES));
}

/** The key that --around names, or how it begins; undefined: not given. */
export function aroundKey(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const keys = values.parseKeys('around', value);
  if (keys.length > 1)
    throw new UserError(`--around ${value}: it takes one key`, {next: 'ask for one after the other'});
  return keys[0];
}

export const findingFlags = {
  by: Flags.string({
    summary: `how findings are summed up: ${SUMS.join(', ')}`,
    helpValue: 'WHAT',
    helpGroup: 'FINDINGS',
    default: 'cause',
  }),
  finding: list('show these findings in full, by their keys', 'KEY[,KEY...]', 'FINDINGS'),
  rule: list('only these rules', 'ID[,ID...]', 'FINDINGS'),
  severity: Flags.string({
    summary: 'least severity shown: error, warning or note',
    helpValue: 'MIN',
    helpGroup: 'FINDINGS',
    default: 'note',
  }),
  limit: limitFlag('findings'),
  'fail-on': Flags.string({
    summary: 'least severity that makes the exit status 1; :sure leaves out the only possible',
    helpValue: 'SEVERITY[:sure]',
    helpGroup: 'FINDINGS',
    default: 'warning',
  }),
  'long-pin': Flags.string({
    summary: 'from when on a pin is a long one',
    helpValue: 'DURATION',
    helpGroup: 'FINDINGS',
    default: '1s',
  }),
  suppress: Flags.string({summary: 'file of known findings to leave out', helpValue: 'FILE', helpGroup: 'FINDINGS'}),
};

/** Flags as oclif hands them over: text not yet looked at. */
export type RawFlags = Record<string, string | boolean | string[] | undefined>;

function text(flags: RawFlags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

function items(flags: RawFlags, name: string): string | undefined {
  const value = flags[name];
  return Array.isArray(value) && value.length > 0 ? value.join(',') : undefined;
}

export function inputOptions(flags: RawFlags): InputOptions {
  const [from, prefix, kernel, shift, vmemmap, clock] = [
    'from',
    'prefix',
    'kernel',
    'page-shift',
    'vmemmap',
    'clock',
  ].map((name) => text(flags, name));
  return {
    from: from === undefined ? undefined : values.parseWord('from', from, INPUT_FORMS),
    prefix: prefix === undefined ? undefined : values.parsePrefix('prefix', prefix, from),
    kernel: kernel === undefined ? undefined : values.parseKernel('kernel', kernel),
    // 4 KiB to 64 KiB pages are all that Linux has
    pageShift: shift === undefined ? undefined : values.parseInteger('page-shift', shift, 12, 18),
    vmemmap: vmemmap === undefined ? undefined : values.parseAddress('vmemmap', vmemmap),
    clock: clock === undefined ? undefined : values.parseWord('clock', clock, CLOCKS),
    strict: flags['strict'] === true,
  };
}

export function selection(flags: RawFlags): Selection {
  const ranges = (name: string, like: string) => {
    const value = items(flags, name);
    return value === undefined ? [] : values.parseRanges(name, value, like);
  };
  const names = (name: string, like: string) => {
    const value = items(flags, name);
    return value === undefined ? [] : values.parseList(name, value, like);
  };
  const time = text(flags, 'time');
  const inode = items(flags, 'inode');
  return {
    pfn: ranges('pfn', '0x2fb0 or 0x2fb0-0x2fbf,12345'),
    time: time === undefined ? undefined : values.parseTimeSpan('time', time),
    pid: ranges('pid', '309 or 300-320,415'),
    comm: names('comm', 'fio,kworker/0:1'),
    cpu: ranges('cpu', '0-3,7'),
    device: names('device', '0000:00:03.0'),
    inode: inode === undefined ? [] : values.parseInodes('inode', inode),
  };
}

export function findingOptions(flags: RawFlags): FindingOptions {
  const limit = text(flags, 'limit');
  const rules = items(flags, 'rule');
  return {
    rules: rules === undefined ? [] : values.parseList('rule', rules, 'unpin-while-dma,pin-leak'),
    severity: values.parseWord('severity', text(flags, 'severity') ?? 'note', SEVERITIES),
    by: values.parseWord('by', text(flags, 'by') ?? 'cause', SUMS),
    chosen: keysOf(flags),
    filters: filtersOf(flags),
    limit: limit === undefined ? undefined : values.parseInteger('limit', limit, 0, 1e9),
    failOn: failOn(text(flags, 'fail-on') ?? 'warning'),
    longPin_ns: values.parseDuration('long-pin', text(flags, 'long-pin') ?? '1s'),
    suppress: text(flags, 'suppress'),
  };
}

function keysOf(flags: RawFlags): string[] {
  const keys = items(flags, 'finding');
  return keys === undefined ? [] : values.parseKeys('finding', keys);
}

/** The filters that were given, as typed. */
function filtersOf(flags: RawFlags): FindingOptions['filters'] {
  return FILTERS.flatMap((name) => {
    const value = items(flags, name) ?? text(flags, name);
    return value === undefined || (name === 'severity' && value === 'note') ? [] : [{flag: `--${name}`, value}];
  });
}

function failOn(value: string): FailOn {
  const [severity = '', verdict, ...rest] = value.split(':');
  if ((verdict !== undefined && verdict !== 'sure') || rest.length > 0) {
    throw new UserError(`--fail-on ${JSON.stringify(value)}: only :sure may follow the severity`, {
      next: 'write it like warning or error:sure',
    });
  }
  return {severity: values.parseWord('fail-on', severity, SEVERITIES), sure: verdict === 'sure'};
}

/** Forms that are sent: who gets them can tell whether he has the same trace. */
const DIGESTED: ReadonlySet<string> = new Set(['mail', 'markdown', 'html']);

/** Where prose is wrapped when nothing tells how wide a line may be. */
const USUAL_WIDTH = 80;

/** The width that COLUMNS asks for, or the terminal has. */
function widthOf(env: NodeJS.ProcessEnv, columns: number | undefined): number {
  const told = Number(env['COLUMNS'] ?? '');
  return Number.isInteger(told) && told > 0 && told < 10_000 ? told : (columns ?? USUAL_WIDTH);
}

/**
 * `isTerminal`: whether standard output is one; `columns`: how wide that is. NO_COLOR (no-color.org) and FORCE_COLOR count when they
 * are not empty.
 */
export function outputOptions<F extends AnyForm>(
  flags: RawFlags,
  isTerminal: boolean,
  env: NodeJS.ProcessEnv,
  forms: readonly (F | 'table' | 'json')[],
  columns?: number,
): OutputOptions<F | 'table' | 'json'> {
  const to = text(flags, 'to');
  const form = to === undefined ? undefined : values.parseWord('to', to, forms);
  if (flags['json'] === true && form !== undefined && form !== 'json') {
    throw new UserError(`--json and --to ${form} contradict each other`, {next: 'give one of them'});
  }
  const output = text(flags, 'output');
  if (output === '') throw new UserError('-o needs the name of a file');
  const when = values.parseWord('color', text(flags, 'color') ?? 'auto', COLORS);
  const reads = isTerminal && output === undefined;
  const forced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
  const auto = (env['NO_COLOR'] ?? '') === '' && (forced || (reads && env['TERM'] !== 'dumb'));
  return {
    to: form ?? (flags['json'] === true ? 'json' : 'table'),
    output: output === '-' ? undefined : output,
    color: when === 'always' || (when === 'auto' && auto),
    quiet: flags['quiet'] === true,
    verbose: flags['verbose'] === true,
    width: widthOf(env, reads ? columns : undefined),
    whole: !reads,
    sha256: flags['sha256'] === true || DIGESTED.has(form ?? 'table'),
  };
}
