/**
 * Ctrl-C, SIGTERM and the end of the terminal: the first asks the run to stop and report what it has, the second ends it at once.
 */
import {removeUnfinished} from '../io/output.js';

export interface Interruption {
  /** Aborted by the first signal; its `reason` is the signal's name. The pipeline asks between chunks. */
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function ignore(): void {}

/** Takes over the signals until release(). */
export function watchInterrupts(what = 'stopping; the report will cover what was read'): Interruption {
  const controller = new AbortController();
  const handler = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      controller.abort(name);
      // in place of the progress, and of the ^C that the terminal put behind it
      const clear = process.stderr.isTTY ? '\r\x1b[K' : '';
      process.stderr.write(`${clear}pinscope: ${name}: ${what} (again: end at once)\n`);
      return;
    }
    removeUnfinished();
    release();
    // nobody listens any more, so this ends the process and tells the shell why
    process.kill(process.pid, name);
  };
  const release = (): void => {
    for (const name of SIGNALS) process.off(name, handler);
    process.stderr.off('error', ignore);
  };
  for (const name of SIGNALS) process.on(name, handler);
  // With the terminal gone, what we say of it cannot be written: that is no reason to give up the result.
  process.stderr.on('error', ignore);
  return {signal: controller.signal, release};
}
