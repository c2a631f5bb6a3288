/**
 * Names for raw addresses in stacks, from a copy of /proc/kallsyms of the kernel that ran (`--kallsyms FILE`).
 *
 * A line (kernel/kallsyms.c, s_show, the same from 4.9 to 6.18), with the module behind a tab where there is one:
 *
 *     ffffffff81a3c2e0 T try_grab_folio
 *     ffffffffc04010d0 t nvme_map_data	[nvme]
 *
 * All zeros is what a reader without CAP_SYSLOG gets (kptr_restrict): such a file names nothing, and says so.
 */

/** Most symbols kept: a distribution kernel with all modules has under 300,000. */
const MOST_SYMBOLS = 2_000_000;
/** A symbol is at most KSYM_NAME_LEN (512, include/linux/kallsyms.h) bytes; addresses, type and module fit beside it. */
const LONGEST_LINE = 1024;
/** An address further behind a symbol than this is in no function of the kernel: it is left bare. */
const FURTHEST = 1n << 20n;

export class KallsymsError extends Error {}

export interface Kallsyms {
  /** Number of symbols. */
  readonly size: number;
  /** `symbol+0x12` or `symbol+0x12 [module]` for an address inside a function; null when none is near below it. */
  name(address: bigint): string | null;
}

/** @throws KallsymsError when no line names an address, with the reason where it is known. */
export function parseKallsyms(text: string): Kallsyms {
  const addresses: bigint[] = [];
  const names: string[] = [];
  let zeros = 0;
  let start = 0;
  while (start < text.length && addresses.length < MOST_SYMBOLS) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const parsed = end - start <= LONGEST_LINE ? parseLine(text.slice(start, end)) : null;
    start = end + 1;
    if (parsed === null) continue;
    if (parsed.address === 0n) zeros++;
    else {
      addresses.push(parsed.address);
      names.push(parsed.name);
    }
  }
  if (addresses.length === 0) {
    throw new KallsymsError(
      zeros > 0
        ? 'every address in the kallsyms file is zero: read /proc/kallsyms as root, with kernel.kptr_restrict below 2'
        : 'no line of the kallsyms file is "address type symbol", as /proc/kallsyms prints them',
    );
  }
  return new SortedSymbols(addresses, names);
}

function parseLine(line: string): {address: bigint; name: string} | null {
  const match = /^([0-9a-f]{8,16}) ([A-Za-z]) ([^\s]+)(?:\s+(\[[^\s\]]+\]))?\s*$/.exec(line);
  if (match === null) return null;
  const [, address, type, symbol, module] = match;
  if (address === undefined || type === undefined || symbol === undefined) return null;
  // only code can be in a stack: text symbols, and weak ones, which functions may be
  if (!'tTwW'.includes(type)) return null;
  return {address: BigInt(`0x${address}`), name: module === undefined ? symbol : `${symbol} ${module}`};
}

class SortedSymbols implements Kallsyms {
  private readonly addresses: BigUint64Array;
  private readonly names: string[];

  constructor(addresses: bigint[], names: string[]) {
    const order = addresses.map((_, at) => at).toSorted((a, b) => compare(addresses[a] ?? 0n, addresses[b] ?? 0n));
    this.addresses = BigUint64Array.from(order, (at) => addresses[at] ?? 0n);
    this.names = order.map((at) => names[at] ?? '');
  }

  get size(): number {
    return this.names.length;
  }

  name(address: bigint): string | null {
    let low = 0;
    let high = this.addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.addresses[middle] ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    const base = this.addresses[low - 1];
    if (base === undefined || address - base > FURTHEST) return null;
    const [symbol, module] = (this.names[low - 1] ?? '').split(' ');
    const offset = `+0x${(address - base).toString(16)}`;
    return `${symbol ?? ''}${offset}${module === undefined ? '' : ` ${module}`}`;
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Frames that are bare addresses (`0xffffffff81a3c2f0`, `ffffffff81a3c2f0`) by name; all others unchanged. */
export function symbolised(frames: readonly string[], kallsyms: Kallsyms): string[] {
  return frames.map((frame) => {
    const match = /^(?:0x)?([0-9a-f]{8,16})$/.exec(frame.trim());
    if (match === null) return frame;
    return kallsyms.name(BigInt(`0x${match[1]}`)) ?? frame;
  });
}
