/** Puts names to bare addresses in the stacks of a result, by the kallsyms file that was given. */
import {readFile, stat} from 'node:fs/promises';
import {UserError} from '../io/user-error.js';
import type {HistoryReport} from '../results/history.js';
import {KallsymsError, parseKallsyms, symbolised, type Kallsyms} from '../base/kallsyms.js';
import type {PinsReport} from '../results/pins.js';
import type {Report} from '../results/report.js';

/** /proc/kallsyms of a distribution kernel has 10 to 20 MB; a larger file is something else. */
const LARGEST_BYTES = 128_000_000;

/** @throws UserError when the file cannot be read, is too large or names nothing. */
export async function readKallsyms(file: string): Promise<Kallsyms> {
  try {
    const {size} = await stat(file);
    if (size > LARGEST_BYTES) throw new KallsymsError(`too large for a list of symbols (${size} bytes)`);
    return parseKallsyms(await readFile(file, 'latin1'));
  } catch (error) {
    const what = error instanceof KallsymsError ? error.message : 'cannot be read';
    throw new UserError(what, {where: file, next: 'give a copy of /proc/kallsyms, read as root', cause: error});
  }
}

export function nameReport(report: Report, kallsyms: Kallsyms): void {
  for (const finding of report.findings) {
    for (const stack of finding.stacks) stack.frames = symbolised(stack.frames, kallsyms);
    for (const entry of finding.history) if (entry.frames) entry.frames = symbolised(entry.frames, kallsyms);
  }
  for (const miss of report.near_misses) if (miss.stack) miss.stack = symbolised(miss.stack, kallsyms);
}

export function nameHistory(report: HistoryReport, kallsyms: Kallsyms): void {
  for (const {generations} of report.pages) {
    for (const {entries} of generations) {
      for (const entry of entries) if (entry.frames) entry.frames = symbolised(entry.frames, kallsyms);
    }
  }
}

export function namePins(report: PinsReport, kallsyms: Kallsyms): void {
  for (const item of [...report.tasks, ...report.stacks, ...report.longest, ...report.longterm]) {
    if (item.stack) item.stack = symbolised(item.stack, kallsyms);
  }
}
