/** `pinscope record`: a recording script printed, or run here with the analysis after it. */
import {existsSync} from 'node:fs';
import path from 'node:path';
import {UserError} from '../io/user-error.js';
import {RULE_IDS} from '../record/groups.js';
import {RECORDERS, type RecordOptions} from '../record/options.js';
import {runScript} from '../record/run.js';
import {recordingScript} from '../record/script.js';
import {runAnalyze} from './analyze.js';
import {type ExitCode, ExitCode as Exit} from './exit.js';
import {findingOptions, inputOptions, outputOptions, selection} from './options.js';
import * as values from './values.js';

export interface RecordFlags {
  print: boolean;
  with: string;
  output?: string | undefined;
  rules: string[];
  kernel?: string | undefined;
  stacks: boolean;
  pid: string[];
  duration?: string | undefined;
  /** the command to run while recording */
  words: string[];
}

/** Checks the flags; throws UserError for a value that makes no sense. */
export function recordOptions(flags: RecordFlags, version: string): RecordOptions {
  const recorder = values.parseWord('with', flags.with, RECORDERS);
  const typed =
    flags.rules.length === 0 ? RULE_IDS : values.parseList('rules', flags.rules.join(','), 'unpin-while-dma,pin-leak');
  const rules = typed.map((rule) => values.parseWord('rules', rule, RULE_IDS));
  const kernel = flags.kernel === undefined ? undefined : values.parseKernel('kernel', flags.kernel);
  const pids = flags.pid.length === 0 ? [] : values.parseList('pid', flags.pid.join(','), '309,415');
  return {
    recorder,
    rules,
    stacks: flags.stacks,
    pids: pids.map((pid) => values.parseInteger('pid', pid, 1, 2 ** 22)),
    version,
    ...(kernel === undefined ? {} : {kernel: {major: kernel.major, minor: kernel.minor}}),
    ...(flags.duration === undefined ? {} : {seconds: Math.max(1, Math.ceil(duration_ns(flags.duration) / 1e9))}),
  };
}

/** A bare number is of seconds, as for the script. */
function duration_ns(text: string): number {
  return values.parseDuration('duration', /^[0-9]+$/.test(text) ? `${text}s` : text);
}

export async function runRecord(flags: RecordFlags, command: string[], version: string): Promise<ExitCode> {
  const options = recordOptions(flags, version);
  if (flags.print) {
    if (flags.words.length > 0) {
      throw new UserError('--print takes no command', {next: 'give the command to the printed script'});
    }
    if (flags.output !== undefined)
      throw new UserError('--print writes to standard output', {next: 'redirect it with >'});
    process.stdout.write(recordingScript(options));
    return Exit.clean;
  }
  if (flags.output === undefined) {
    throw new UserError('record needs -o FILE for the trace', {next: 'or --print for a script to run elsewhere'});
  }
  if (process.platform !== 'linux') {
    throw new UserError('only Linux can be recorded', {next: 'write a script for a Linux machine with --print'});
  }
  if (process.getuid?.() !== 0) {
    throw new UserError('recording needs root', {next: 'run it with sudo, or write a script with --print'});
  }
  if (existsSync(flags.output)) {
    throw new UserError('exists already', {where: flags.output, next: 'give another name with -o'});
  }
  if (options.recorder === 'bpftrace' && options.kernel !== undefined) {
    throw new UserError('--kernel with bpftrace makes a program to be run by hand', {
      next: 'use --print, or leave out --kernel',
    });
  }
  const trace = path.resolve(flags.output);
  const status = await runScript(recordingScript(options), trace, flags.words);
  if (!existsSync(trace)) return Exit.usage;
  if (flags.words.length > 0 && status !== 0) {
    process.stderr.write(`pinscope: ${flags.words[0]} ended with status ${status}; its trace is analyzed\n`);
  }
  // the functions of this boot, which the script puts beside a recording that names none
  const symbols = `${flags.output}.kallsyms`;
  const raw = {};
  return runAnalyze(
    {
      ...inputOptions(raw),
      ...findingOptions(raw),
      ...outputOptions(raw, process.stdout.isTTY === true, process.env, ['table']),
      selection: selection(raw),
      rules: flags.rules.length === 0 ? [] : [...options.rules],
      traces: [flags.output],
      command,
    },
    version,
    existsSync(symbols) ? symbols : undefined,
  );
}
