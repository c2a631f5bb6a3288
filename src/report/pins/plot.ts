/** Plots of text: live pins over time, and histograms as bpftrace draws them. ASCII only. */
import {number, time} from '../../words/format.js';
import type {Distribution, LivePins} from '../../results/pins.js';

/** Columns of `#` over a time axis, `rows` high; several steps that fall into one column show the most of them. */
export function livePlot(live: LivePins, width: number, end_ns: string | null = null, rows = 8): string[] {
  const label = number(live.peak).length;
  const columns = Math.max(1, Math.min(width - label - 3, live.most.length));
  const heights = resampled(live.most, columns).map((most) => (live.peak === 0 ? 0 : (most / live.peak) * rows));
  const lines: string[] = [];
  for (let row = rows; row >= 1; row--) {
    const name = row === rows ? number(live.peak) : '';
    const cells = heights.map((height) => (height >= row - 0.5 || (row === 1 && height > 0) ? '#' : ' ')).join('');
    lines.push(`${name.padStart(label)} |${cells}`.trimEnd());
  }
  lines.push(`${'0'.padStart(label)} +${'-'.repeat(columns)}`);
  const from = time(live.start_ns);
  // the last step may reach beyond the trace
  const steps = BigInt(live.start_ns) + BigInt(live.step_ns) * BigInt(live.most.length);
  const to = time((end_ns === null || BigInt(end_ns) > steps ? steps : BigInt(end_ns)).toString());
  lines.push(`${' '.repeat(label + 2)}${from}${to.padStart(Math.max(to.length + 1, columns - from.length))}`);
  return lines;
}

function resampled(values: number[], columns: number): number[] {
  return Array.from({length: columns}, (_, at) => {
    const from = Math.floor((at * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((at + 1) * values.length) / columns));
    return values.slice(from, to).reduce((most, value) => Math.max(most, value), 0);
  });
}

const BAR = 52;

/** `[1K, 2K)            12 |@@@@@     |`: bpftrace's hist(), whose K, M and G are powers of 1024 (src/output.cpp, hist_to_str). */
export function histogram(distribution: Distribution, width: number): string[] {
  const bar = Math.max(10, Math.min(BAR, width - 28));
  const most = Math.max(1, ...distribution.log2.map((bucket) => bucket.count));
  return distribution.log2.map(({from_ns, to_ns, count}) => {
    const range = from_ns === '0' ? '[0]' : to_ns === '2' ? '[1]' : `[${scaled(from_ns)}, ${scaled(to_ns)})`;
    const filled = '@'.repeat(Math.floor((count / most) * bar));
    return `${range.padEnd(16)} ${String(count).padStart(8)} |${filled.padEnd(bar)}|`;
  });
}

function scaled(value: string): string {
  let rest = BigInt(value);
  let unit = 0;
  while (rest >= 1024n && unit < 4) {
    rest /= 1024n;
    unit++;
  }
  return `${rest}${['', 'K', 'M', 'G', 'T'][unit] ?? ''}`;
}
