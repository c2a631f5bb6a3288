/** The flags that mean the same everywhere (contract), in groups that commands put together. */
import * as Flags from '@oclif/core/flags';

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
/** The same, and stacks for flame graphs. */
export const PINS_FORMS = [...TEXT_FORMS, 'folded'] as const;
/** Forms of results that nobody mails. */
export const PLAIN_FORMS = ['table', 'json'] as const;
/** Forms of `pinscope export`. */
export const EXPORT_FORMS = ['parquet', 'csv', 'ndjson', 'perfetto'] as const;
/** Forms of the answer to a question in SQL. */
export const QUERY_FORMS = ['table', 'json', 'ndjson', 'csv'] as const;
/** Whatever --to means to some command. */
export type AnyForm =
  OutputForm | (typeof PINS_FORMS)[number] | (typeof EXPORT_FORMS)[number] | (typeof QUERY_FORMS)[number];

/** How findings are summed up. */
export const SUMS = ['cause', 'deed', 'page', 'task', 'file'] as const;
export type SumBy = (typeof SUMS)[number];

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
  'page-shift': Flags.string({
    summary: 'log2 of the page size, where the trace does not say',
    helpValue: 'N',
    helpGroup: 'INPUT',
  }),
  vmemmap: Flags.string({
    summary: 'address of the first struct page (vmemmap_base), where the trace does not show it',
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
