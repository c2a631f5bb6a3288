/** What decoders keep between lines: their cursors, and what the trace has shown about how it was printed. */

import {Elements, Fields} from './fields.js';
import {FlagPrinter} from './page-flags.js';

export class DecodeContext {
  readonly fields = new Fields();
  readonly elements = new Elements();
  /** FlagPrinter: who turned page flags into text */
  printer: number = FlagPrinter.kernel;
  /**
   * Whether numeric page flags are in the layout of 6.12. Set by the kernel release where the trace tells it, and by the
   * first `mapcount=-1`: since 6.12 the raw `_mapcount` is printed, before that no page prints -1 (kernel-facts B1).
   */
  flagsLayoutKnown = false;

  /** What is known when the release of the kernel is: `6.12`, `6.12.117-gupl`. */
  setKernel(release: string | undefined): void {
    const m = release && /^(\d+)\.(\d+)/.exec(release);
    if (m) this.flagsLayoutKnown = Number(m[1]) > 6 || (Number(m[1]) === 6 && Number(m[2]) >= 12);
  }
}
