/**
 * Progress of a long read, on standard error: bytes, share, rate, time left. Only on a terminal.
 */

/** What progress needs to know of an input. */
export interface ProgressInput {
  readonly bytesRead: number;
  /** null when nobody can tell */
  readonly size: number | null;
}

/** Time in ms before anything is shown: most runs are over by then. */
const PATIENCE_MS = 700;
const EVERY_MS = 200;

export interface Progress {
  /** Clears the line; call before anything else is printed on the terminal. */
  stop(): void;
}

/** Shows progress of `inputs` until stop(), if `stream` is a terminal and `quiet` is not set. */
export function showProgress(
  inputs: readonly ProgressInput[],
  options: {quiet: boolean; stream?: NodeJS.WriteStream; now?: () => number},
): Progress {
  const stream = options.stream ?? process.stderr;
  const now = options.now ?? (() => performance.now());
  if (options.quiet || !stream.isTTY) return {stop: () => undefined};
  const start_ms = now();
  let shown = false;
  const timer = setInterval(() => {
    const elapsed_ms = now() - start_ms;
    if (elapsed_ms < PATIENCE_MS) return;
    stream.write(`\r\x1b[K${progressLine(inputs, elapsed_ms).slice(0, (stream.columns || 80) - 1)}`);
    shown = true;
  }, EVERY_MS);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
      if (shown) stream.write('\r\x1b[K');
      shown = false;
    },
  };
}

/** `123.4 MB of 700.0 MB (17%), 310 MB/s, 2 s left` */
export function progressLine(inputs: readonly ProgressInput[], elapsed_ms: number): string {
  let done = 0;
  let total: number | null = 0;
  for (const input of inputs) {
    done += input.bytesRead;
    total = total === null || input.size === null ? null : total + input.size;
  }
  const rate = done / Math.max(elapsed_ms / 1000, 0.001);
  const speed = `${(rate / 1e6).toFixed(rate < 10e6 ? 1 : 0)} MB/s`;
  if (total === null || total === 0) return `${megabytes(done)} read, ${speed}`;
  const share = Math.min(100, Math.floor((done / total) * 100));
  const left = rate > 0 ? `, ${duration(Math.max(0, total - done) / rate)} left` : '';
  return `${megabytes(done)} of ${megabytes(total)} (${share}%), ${speed}${left}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
