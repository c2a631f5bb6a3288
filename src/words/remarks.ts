/** What `--verbose` says on standard error: how the input was understood. */
import type {Report} from '../results/report.js';
import {printable} from './clean.js';
import {bytes, counted} from './format.js';
import {clockText, kernelText} from './words.js';

export function readingRemarks(report: Pick<Report, 'inputs' | 'clock' | 'span' | 'kernel' | 'timing'>): string[] {
  const {inputs, timing, kernel} = report;
  return [
    ...inputs.map(
      ({path, format, evidence, events}) => `${path}: ${format}, ${counted(events, 'event')} (${evidence.join('; ')})`,
    ),
    `clock: ${clockText(report)}`,
    `kernel: ${[kernelText(report), ...kernel.signals].join('; ')}`,
    `read in ${timing.seconds} s, ${bytes(timing.bytes_per_second)}/s, at most ${bytes(timing.peak_rss_bytes)} of memory`,
  ].map(printable);
}
