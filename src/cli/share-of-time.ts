/** Shares of a trace in --time: `10%,20%` is put into times once, before anything else reads the flag. */
import {UserError} from '../io/user-error.js';
import {info} from '../run/info.js';
import type {InputOptions} from './options.js';

const SHARE = /^([0-9]{1,3}(?:\.[0-9]{1,9})?)%$/;

/**
 * `--time` with its shares replaced by the times they stand for, from the first event (0%) to the last (100%): the traces
 * are read once more for these. Throws UserError for a share above 100%, and where the traces cannot be read twice.
 */
export async function timesOfShares(text: string, traces: string[], options: InputOptions): Promise<string> {
  if (traces.length === 0 || traces.includes('-'))
    throw new UserError(`--time ${text}: a share needs the length of the trace, which a pipe does not tell`, {
      next: 'name the file, or give times',
    });
  const {span, clock} = await info({...options, traces, command: [], version: ''});
  const ticks = clock.unit === 'ticks';
  const [first, last] = ticks ? [span.start_ticks, span.end_ticks] : [span.start_ns, span.end_ns];
  if (typeof first !== 'string' || typeof last !== 'string')
    throw new UserError(`--time ${text}: this trace has no times`, {next: 'choose by --pfn, --comm or --cpu'});
  const at = (share: string): string => {
    const percent = Number(share);
    if (percent > 100) throw new UserError(`--time ${text}: ${share}% is behind the end of the trace`);
    // thousandths of a millionth are enough, and whole: times are beyond what a number holds
    const time = BigInt(first) + ((BigInt(last) - BigInt(first)) * BigInt(Math.round(percent * 1e7))) / 1_000_000_000n;
    if (ticks) return String(time);
    const digits = String(time).padStart(10, '0');
    return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
  };
  return text
    .split(',')
    .map((part) => {
      const share = SHARE.exec(part.trim())?.[1];
      return share === undefined ? part : at(share);
    })
    .join(',');
}
