/** What decoders keep between lines: their cursors, and what the trace has shown about how it was printed. */

import {Elements, Fields} from './fields.js';
import type {ProbeArguments} from './probe-table.js';
import type {Reading} from './reading.js';
import {type FlagLayout, flagLayout, SINCE_612} from './page-flag-layout.js';
import {FlagPrinter} from './page-flags.js';

export class DecodeContext {
  readonly fields = new Fields();
  readonly elements = new Elements();

  // how the payload at hand was read; undefined where not by its fields
  readings: readonly (Reading | undefined)[] | undefined;
  args: ProbeArguments | undefined;
  /** where its fields began */
  from = 0;
  // what it said, beside its row (family.ts)
  /** range of `flags=`; -1 when there was none */
  flagsStart = -1;
  flagsStop = -1;
  /** lengths in a list of them; -1 when there was none */
  sizes = -1;
  /** the end of an address range */
  rangeEnd = -1;
  /** a mapping is of device memory, no page */
  deviceMemory = false;
  /** a number of pages was there */
  hasNr = false;
  /** an argument has named the page */
  pageSeen = false;
  /** what a command does, one of Command (command.ts); -1 when it was not named */
  command = -1;

  /** events that nobody decodes are wanted where their text names a page */
  mentions = false;

  /** FlagPrinter: who turned page flags into text */
  printer: number = FlagPrinter.kernel;
  /**
   * Whether the trace is of 6.12 or later. Told by the release where the trace has it, and by the first `mapcount=-1`:
   * since 6.12 the raw `_mapcount` is printed, before that no page prints -1.
   */
  since612 = false;
  /** raw page flags by bit; undefined: not known */
  layout: FlagLayout | undefined = undefined;
  /** release as major * 1000 + minor; 0 when not known */
  kernel = 0;

  /** told when texts that were decoded may mean something else from now on */
  changed: (() => void) | undefined;

  /** What is known when the release of the kernel is: `6.12`, `6.12.117-gupl`. */
  setKernel(release: string | undefined): void {
    const m = release && /^(\d+)\.(\d+)/.exec(release);
    if (!m) return;
    this.kernel = Number(m[1]) * 1000 + Number(m[2]);
    this.since612 = this.kernel >= 6012;
    this.layout = flagLayout('', this.kernel);
    this.changed?.();
  }

  /** What is known when an event shows a kernel of 6.12 or later. */
  seen612(): void {
    if (this.since612) return;
    this.since612 = true;
    if (this.kernel === 0) this.layout = SINCE_612;
    this.changed?.();
  }
}
