/**
 * What all commands share: flags become typed options, errors become one line, exit statuses are set in one place.
 *
 * A command imports only this module statically; what a run needs (parsers, ledger, rules, renderers) it imports with
 * `await import()` inside run(), so that --help and --version stay quick.
 */
import {string as textArgument} from '@oclif/core/args';
import type {Interfaces} from '@oclif/core';
import {Command} from '@oclif/core/command';
import type {AnyForm, OutputForm} from './flags.js';
import type {Selection} from '../base/selection.js';
import * as flags from './flags.js';
import {
  findingOptions,
  type FindingOptions,
  inputOptions,
  type InputOptions,
  outputOptions,
  type OutputOptions,
  type RawFlags,
  selection,
} from './options.js';
import {type KnownFlags, standingWords} from './standing.js';

/** Everything a command that reads traces was told. */
export interface TraceOptions<F extends AnyForm = OutputForm> extends InputOptions, FindingOptions, OutputOptions<F> {
  /** as typed: paths, `-` for standard input; empty means standard input if that is no terminal */
  traces: string[];
  selection: Selection;
  /** the command line as typed, for the report: `['pinscope', 'analyze', 'trace.txt']` */
  command: string[];
}

export abstract class BaseCommand extends Command {
  /** The command as typed, one string per word, for the report. */
  protected commandLine(): string[] {
    return ['pinscope', ...process.argv.slice(2)];
  }

  /** The flags of the configuration file and of PINSCOPE_OPTS come before those that were typed. */
  protected override async init(): Promise<void> {
    await super.init();
    const {baseFlags, flags: own} = this.ctor as typeof BaseCommand;
    const anywhere = (): KnownFlags =>
      Object.assign({}, ...this.config.commands.map((command) => command.flags)) as KnownFlags;
    this.argv = [...standingWords({...baseFlags, ...own}, process.env, this.argv, anywhere), ...this.argv];
  }

  /** Errors go to main(), which prints them and sets the status: oclif's own printing wraps and colours them. */
  protected override async catch(error: Error): Promise<never> {
    throw error;
  }
}

/**
 * Base of the commands that read traces; it has every flag of the contract that means the same everywhere. A command for
 * which some would do nothing gives `baseFlags` of its own.
 */
export abstract class TraceCommand extends BaseCommand {
  static override args = {
    trace: textArgument({
      description: 'trace to read, or - for standard input; gzip, zstd and xz are known by their first bytes',
      multiple: true,
      // oclif would wait for standard input and swallow it as an argument
      ignoreStdin: true,
    }),
  };

  static override baseFlags: Interfaces.FlagInput = {
    ...flags.inputFlags,
    ...flags.selectionFlags,
    ...flags.findingFlags,
    ...flags.outputFlags(flags.OUTPUT_FORMS),
  };

  /**
   * Parses the command line; throws UserError for a value that makes no sense. `forms` are the output forms that the
   * command has. Flags that the command does not offer have their usual value.
   */
  protected async traceOptions(): Promise<TraceOptions>;
  protected async traceOptions<F extends AnyForm>(forms: readonly F[]): Promise<TraceOptions<F>>;
  protected async traceOptions(forms: readonly AnyForm[] = flags.OUTPUT_FORMS): Promise<TraceOptions<AnyForm>> {
    const {args, baseFlags, flags: own, strict} = this.ctor as typeof TraceCommand;
    // oclif copies only a class's own statics, so inherited ones are handed over by name
    const parsed = await this.parse({args, baseFlags, flags: own, strict});
    const raw = parsed.flags as RawFlags;
    const {trace = []} = parsed.args as {trace?: string | string[]};
    const traces = Array.isArray(trace) ? trace : [trace];
    const input = inputOptions(raw);
    if (typeof raw['time'] === 'string' && raw['time'].includes('%')) {
      const {timesOfShares} = await import('./share-of-time.js');
      raw['time'] = await timesOfShares(raw['time'], traces, input);
    }
    return {
      ...input,
      ...findingOptions(raw),
      ...outputOptions(raw, process.stdout.isTTY === true, process.env, forms, process.stdout.columns),
      selection: selection(raw),
      traces,
      command: this.commandLine(),
    };
  }
}
