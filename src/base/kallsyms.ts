/**
 * Names for raw addresses, from the text of /proc/kallsyms of the kernel that ran: a file that the user gives, or the copy
 * that trace-cmd puts into its recordings.
 *
 * A line (kernel/kallsyms.c, s_show, the same from 4.9 to 6.18), with the module behind a tab where there is one:
 *
 *     ffffffff81a3c2e0 T try_grab_folio
 *     ffffffffc04010d0 t nvme_map_data	[nvme]
 *
 * All zeros is what a reader without CAP_SYSLOG gets (kptr_restrict): such a text names nothing, and says so. A distribution
 * kernel's has 200,000 lines: they are read as bytes, and a name becomes a string only where it is asked for.
 */

import {mergeRuns} from './merge-runs.js';

/** Most symbols kept: a distribution kernel with all modules has under 300,000. */
const MOST_SYMBOLS = 2_000_000;
/** A symbol is at most KSYM_NAME_LEN (512, include/linux/kallsyms.h) bytes; addresses, type and module fit beside it. */
const LONGEST_LINE = 1024;
/** An address further behind a symbol than this is in no function of the kernel: it is left bare. */
const FURTHEST = 1 << 20;
/** Names that are kept. */
const NAMES_MAX = 4096;
/** Bytes between a function's symbol and where it is probed, at most: endbr64, bti, a local entry point. */
const ENTRY_BYTES = 16;

export class KallsymsError extends Error {}

export interface Kallsyms {
  /** Number of symbols. */
  readonly size: number;
  /** `symbol+0x12` or `symbol+0x12 [module]` for an address inside a function; null when none is near below it. */
  name(address: bigint): string | null;
  /** The address of a symbol of the kernel's code; undefined where there is none, or it is hidden. */
  address(symbol: string): bigint | undefined;
  /** The functions that a probe at an address is at the entry of, one by several names; empty when there is none. */
  functionsAt(address: bigint): string[];
}

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;

/** @throws KallsymsError when no line names an address, with the reason where it is known. */
export function parseKallsyms(text: string | Uint8Array): Kallsyms {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  const symbols = new Symbols(bytes);
  if (symbols.size > 0) return symbols;
  throw new KallsymsError(
    symbols.zeros > 0
      ? 'every address in the kallsyms file is zero: read /proc/kallsyms as root, with kernel.kptr_restrict below 2'
      : 'no line of the kallsyms file is "address type symbol", as /proc/kallsyms prints them',
  );
}

class Symbols implements Kallsyms {
  /** lines whose address is hidden */
  zeros = 0;
  size = 0;
  /** by address: the address less that of the first, which a double holds, and where the symbol begins in the text */
  private distances = new Float64Array(0);
  private starts = new Uint32Array(0);
  private first = 0n;
  /** of the addresses asked for last: those of a few probes, again and again */
  private readonly names = new Map<bigint, string>();

  constructor(private readonly bytes: Uint8Array) {
    // in the order of the text, with room for twice as many when it is used up
    let distances = new Float64Array(1 << 16);
    let starts = new Uint32Array(distances.length);
    let [count, high, low, least] = [0, 0, 0, 0];
    for (let start = 0; start < bytes.length && count < MOST_SYMBOLS;) {
      let end = bytes.indexOf(LF, start);
      if (end < 0) end = bytes.length;
      const at = end - start <= LONGEST_LINE ? this.line(start, end) : -1;
      start = end + 1;
      if (at < 0) continue;
      if (this.high === 0 && this.low === 0) {
        this.zeros++;
        continue;
      }
      if (count === 0) [high, low] = [this.high, this.low];
      if (count === distances.length) {
        distances = grown(distances, new Float64Array(2 * count));
        starts = grown(starts, new Uint32Array(2 * count));
      }
      const distance = (this.high - high) * 4294967296 + (this.low - low);
      if (distance < least) least = distance;
      distances[count] = distance;
      starts[count++] = at;
    }
    this.first = ((BigInt(high) << 32n) | BigInt(low)) + BigInt(least);
    this.sort(distances.subarray(0, count), starts, least);
  }

  private high = 0;
  private low = 0;

  /** Reads a line into `high` and `low`; answers where its symbol begins, -1 where it is no function. */
  private line(start: number, end: number): number {
    const {bytes} = this;
    let at = start;
    let high = 0;
    let low = 0;
    for (; at < end; at++) {
      const digit = hexDigit(bytes[at]!);
      if (digit < 0) break;
      high = ((high << 4) | (low >>> 28)) >>> 0;
      low = ((low << 4) | digit) >>> 0;
    }
    const digits = at - start;
    if (digits < 8 || digits > 16 || bytes[at] !== SPACE || bytes[at + 2] !== SPACE) return -1;
    // only code can be in a stack: text symbols (t, T), and weak ones (w, W), which functions may be
    const type = bytes[at + 1]! | 32;
    if (type !== 116 && type !== 119) return -1;
    const symbol = at + 3;
    if (symbol >= end || bytes[symbol]! <= SPACE) return -1;
    this.high = high;
    this.low = low;
    return symbol;
  }

  private sort(distances: Float64Array, starts: Uint32Array, least: number): void {
    const size = distances.length;
    const rows = new Int32Array(size);
    for (let i = 0; i < size; i++) rows[i] = i;
    // the kernel's own symbols come in order, modules behind them
    const order = mergeRuns(rows, size, distances);
    this.size = size;
    this.distances = new Float64Array(size);
    this.starts = new Uint32Array(size);
    for (let at = 0; at < size; at++) {
      const i = order[at]!;
      this.distances[at] = distances[i]! - least;
      this.starts[at] = starts[i]!;
    }
  }

  /** The last symbol at or below an address, and how far below; -1 where none is near. */
  private below(address: bigint): {at: number; offset: number} | undefined {
    if (address < this.first) return undefined;
    const distance = Number(address - this.first);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.distances[middle]! <= distance) low = middle + 1;
      else high = middle;
    }
    const offset = distance - this.distances[low - 1]!;
    return offset <= FURTHEST ? {at: low - 1, offset} : undefined;
  }

  name(address: bigint): string | null {
    const known = this.names.get(address);
    if (known !== undefined) return known;
    const found = this.below(address);
    if (!found) return null;
    const {symbol, module} = this.symbol(found.at);
    const name = `${symbol}+0x${found.offset.toString(16)}${module}`;
    if (this.names.size >= NAMES_MAX) this.names.clear();
    this.names.set(address, name);
    return name;
  }

  functionsAt(address: bigint): string[] {
    const found = this.below(address);
    if (!found || found.offset > ENTRY_BYTES) return [];
    const names: string[] = [];
    const begin = this.distances[found.at];
    for (let at = found.at; at >= 0 && this.distances[at] === begin; at--) names.push(this.symbol(at).symbol);
    return names;
  }

  address(symbol: string): bigint | undefined {
    const {bytes} = this;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sought = ` ${symbol}\n`;
    for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + 1)) {
      const start = text.lastIndexOf(LF, at) + 1;
      if (this.line(start, at + sought.length - 1) >= 0 && (this.high !== 0 || this.low !== 0))
        return (BigInt(this.high) << 32n) | BigInt(this.low);
    }
    return undefined;
  }

  private symbol(index: number): {symbol: string; module: string} {
    const {bytes} = this;
    const start = this.starts[index]!;
    let end = start;
    while (end < bytes.length && bytes[end]! > SPACE) end++;
    let stop = end;
    while (bytes[stop] === SPACE || bytes[stop] === TAB) stop++;
    let line = stop;
    while (line < bytes.length && bytes[line] !== LF && bytes[line] !== CR) line++;
    const text = (from: number, to: number): string =>
      Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
    const module = /^\[[^\s\]]+\]$/.exec(text(stop, Math.min(line, stop + 100)).trimEnd());
    return {symbol: text(start, end), module: module ? ` ${module[0]}` : ''};
  }
}

/**
 * Symbols of another boot of the same kernel, whose code lies `by` higher in this one (KASLR). Where its modules lie is not
 * known: what is not the kernel's own code is told as an address that nothing else will name.
 */
export function moved(kallsyms: Kallsyms, by: bigint): Kallsyms {
  return {
    size: kallsyms.size,
    name(address) {
      const name = kallsyms.name(address - by);
      return name === null || name.endsWith(']') ? `0x${address.toString(16)} [unknown]` : name;
    },
    address(symbol) {
      const address = kallsyms.address(symbol);
      return address === undefined ? undefined : address + by;
    },
    functionsAt: (address) =>
      kallsyms.name(address - by)?.endsWith(']') === false ? kallsyms.functionsAt(address - by) : [],
  };
}

function grown<T extends Float64Array | Uint32Array>(from: T, into: T): T {
  into.set(from);
  return into;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return -1;
}

/** Frames that are bare addresses (`0xffffffff81a3c2f0`, `ffffffff81a3c2f0`) by name; all others unchanged. */
export function symbolised(frames: readonly string[], kallsyms: Kallsyms): string[] {
  return frames.map((frame) => {
    const match = /^(?:0x)?([0-9a-f]{8,16})$/.exec(frame.trim());
    if (match === null) return frame;
    return kallsyms.name(BigInt(`0x${match[1]}`)) ?? frame;
  });
}
