/**
 * The one place where an exit status is decided (contract, "exit").
 */
import type {Finding, QualityCounter, Report, Severity} from '../results/report.js';
import {reaches} from '../results/severity.js';

export const ExitCode = {
  /** at least one rule could run, and no finding reaches --fail-on */
  clean: 0,
  /** a finding does */
  finding: 1,
  /** usage, or input that cannot be read or judged */
  usage: 2,
  /** --strict, and the input lost events or could not be read whole */
  strict: 3,
  /** ended by SIGHUP, SIGINT, SIGTERM: the report is of what was read until then */
  hangup: 129,
  interrupt: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The status of a run: `code`, unless a signal ended it. */
export function codeAfter({aborted, reason: name}: AbortSignal, code: ExitCode): ExitCode {
  if (!aborted) return code;
  if (name === 'SIGHUP') return ExitCode.hangup;
  return name === 'SIGTERM' ? ExitCode.terminated : ExitCode.interrupt;
}

/** `--fail-on warning:sure` */
export interface FailOn {
  severity: Severity;
  /** only findings whose verdict is `sure` count */
  sure: boolean;
}

/** What tells whether the input was read whole. */
interface Reading {
  partial?: string;
  inputs: readonly {cut?: string; unrecognised: {count: number}}[];
  quality: readonly QualityCounter[];
}

/** Quality counters that mean that events are missing from what was read; advice alone is not one. */
function readWhole(report: Reading): boolean {
  if (report.partial !== undefined) return false;
  if (report.inputs.some((input) => input.cut !== undefined || input.unrecognised.count > 0)) return false;
  return report.quality.every((counter) => counter.severity === 'note' || counter.count === 0);
}

/** Whether a finding makes the status 1. */
export function fails(finding: Finding, failOn: FailOn): boolean {
  return reaches(finding.severity, failOn.severity) && (!failOn.sure || finding.verdict === 'sure');
}

/**
 * The status of a run that ended with a report: 2 when no rule could judge anything, else 3 under --strict when the
 * input was lossy or partly unread, else 1 or 0 by the findings.
 */
export function exitCodeOf(report: Report, options: {failOn: FailOn; strict: boolean}): ExitCode {
  if (report.rules.every((rule) => rule.status === 'not-run')) return ExitCode.usage;
  if (options.strict && !readWhole(report)) return ExitCode.strict;
  return report.findings.some((finding) => fails(finding, options.failOn)) ? ExitCode.finding : ExitCode.clean;
}

/** The status of a result that holds no judgement: 3 under --strict when the input was lossy or partly unread. */
export function readingCodeOf(report: Reading, options: {strict: boolean}): ExitCode {
  return options.strict && !readWhole(report) ? ExitCode.strict : ExitCode.clean;
}
