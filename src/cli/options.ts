/** What the flags of a command line become: checked, and with what is meant where nothing was given. */
import type {Pattern} from '../../parsers/prefix/pattern.js';
import type {KernelVersion, Selection} from '../base/selection.js';
import {UserError} from '../io/user-error.js';
import type {Severity} from '../results/report.js';
import type {FailOn} from './exit.js';
import {type AnyForm, CHANGES, INPUT_FORMS, type InputForm, type OutputForm, type SumBy, SUMS} from './flags.js';
import * as values from './values.js';

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
