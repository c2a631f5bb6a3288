/**
 * What trace_printk() and trace_puts() recorded. The kernel keeps the address of the format and the values as they are
 * (`bprint`; of `bputs` the address of the text); recorders copy the formats from tracefs printk_formats:
 *
 *     0xffffffff820b216f : "unpin of pfn=0x%lx, %d left\n"
 *
 * Values lie as vbin_printf() of lib/vsprintf.c puts them: each at its own alignment, of 8 bytes at 4; texts with their
 * NUL; pointers as they are, but for those whose text had to be made at once (%pI4, %pd...), which are texts.
 */
import type {Kallsyms} from '../../src/base/kallsyms.js';
import {Lie} from './format.js';
import {highAt, lowAt} from './values.js';

/** Formats that are kept: a kernel has some hundred. */
const FORMATS_MAX = 100_000;
/** Longest text that is made of one record, and most blanks or zeros before a value. */
const TEXT_MAX = 1000;
const WIDTH_MAX = 100;

const LINE = /^(0x[0-9a-f]{1,16}) : "(.*)"$/;
const ESCAPES: Readonly<Record<string, string>> = {n: '\n', t: '\t', '\\': '\\', '"': '"'};

/** One after the other: a few bytes may unpack to more lines than an array can hold. */
export function* linesOf(text: string): Generator<string, void> {
  for (let start = 0; start <= text.length;) {
    const end = text.indexOf('\n', start);
    if (end < 0) {
      yield text.slice(start);
      return;
    }
    if (end > start) yield text.slice(start, end);
    start = end + 1;
  }
}

/** By address, of the text of printk_formats. */
export function printkFormats(text: string): Map<bigint, string> {
  const formats = new Map<bigint, string>();
  for (const line of linesOf(text)) {
    const [, address, format] = LINE.exec(line) ?? [];
    if (address === undefined || format === undefined || formats.size >= FORMATS_MAX) continue;
    formats.set(
      BigInt(address),
      format.slice(0, TEXT_MAX).replace(/\\(.)/g, (whole, char: string) => ESCAPES[char] ?? whole),
    );
  }
  return formats;
}

export interface PrintkValues {
  view: DataView;
  /** bytes of the values */
  start: number;
  end: number;
  little: boolean;
  /** bytes of a `long` of the kernel */
  long: number;
  symbols: Kallsyms | null;
}

const SPEC = /%([-+ #0]*)(\*|\d{1,4})?(?:\.(\*|\d{1,4})?)?(hh|h|ll|l|z|t|j|q|L)?(p[a-zA-Z0-9]*|[a-zA-Z%])/g;
/** Pointers that are kept as they are, by the letter behind %p. */
const KEPT = /^p(?:[SsxKe].*)?$/;

/** The text of a format with its values, without the end of the line. Values that are not there are `?`. */
export function printed(format: string, values: PrintkValues): string {
  const taken = new Values(values);
  const text = format.replace(
    SPEC,
    (_, flags: string, width: string | undefined, precision: string | undefined, length: string, type: string) => {
      if (type === '%') return '%';
      const wide = Math.min(WIDTH_MAX, width === '*' ? Number(taken.signed(4) ?? 0) : Number(width ?? 0));
      const least = precision === '*' ? Number(taken.signed(4) ?? 0) : Number(precision ?? 0);
      const value = one(type, length, flags, least, taken);
      if (flags.includes('-')) return value.padEnd(wide);
      return flags.includes('0') && !/^[cs]/.test(type) ? value.padStart(wide, '0') : value.padStart(wide);
    },
  );
  return text.slice(0, TEXT_MAX).replace(/\n+$/, '');
}

function one(type: string, length: string | undefined, flags: string, least: number, taken: Values): string {
  if (type === 's') return taken.text();
  if (type === 'c') return String.fromCharCode(Number(taken.unsigned(1) ?? 0x3fn));
  if (type.startsWith('p')) return KEPT.test(type) ? taken.pointer(type) : taken.text();
  const bytes = taken.bytesOf(length);
  const signed = type === 'd' || type === 'i';
  const value = signed ? taken.signed(bytes) : taken.unsigned(bytes);
  if (value === undefined) return '?';
  if (signed)
    return (flags.includes('+') && value >= 0n ? '+' : '') + String(value).padStart(Math.min(least, WIDTH_MAX), '0');
  const base = type === 'x' || type === 'X' ? 16 : type === 'o' ? 8 : 10;
  const digits = value.toString(base).padStart(Math.min(least, WIDTH_MAX), '0');
  const prefix = flags.includes('#') && base !== 10 ? (base === 16 ? '0x' : '0') : '';
  return prefix + (type === 'X' ? digits.toUpperCase() : digits);
}

/** The values of a record, one after the other. */
class Values {
  private at: number;

  constructor(private readonly values: PrintkValues) {
    this.at = values.start;
  }

  bytesOf(length: string | undefined): number {
    if (length === 'hh') return 1;
    if (length === 'h') return 2;
    if (length === undefined) return 4;
    return length === 'l' || length === 'z' || length === 't' ? this.values.long : 8;
  }

  unsigned(bytes: number): bigint | undefined {
    const {view, start, end, little} = this.values;
    const align = Math.min(bytes, 4);
    const at = start + Math.ceil((this.at - start) / align) * align;
    if (at + bytes > end) return undefined;
    this.at = at + bytes;
    const lie = {1: Lie.u8, 2: Lie.u16, 4: Lie.u32}[bytes] ?? Lie.u64;
    return (BigInt(highAt(view, at, lie, little)) << 32n) | BigInt(lowAt(view, at, lie, little));
  }

  signed(bytes: number): bigint | undefined {
    const value = this.unsigned(bytes);
    return value === undefined ? undefined : BigInt.asIntN(bytes * 8, value);
  }

  text(): string {
    const {view, end} = this.values;
    const from = this.at;
    while (this.at < end && view.getUint8(this.at) !== 0) this.at++;
    const text = Buffer.from(view.buffer, view.byteOffset + from, this.at - from).toString('utf8');
    this.at++;
    return text;
  }

  /** `%ps` and `%pS` by its name where symbols are there, else as a number. */
  pointer(type: string): string {
    const value = this.unsigned(this.values.long);
    if (value === undefined) return '?';
    const name = /^p[sS]/.test(type) ? this.values.symbols?.name(value) : undefined;
    if (name) return type.startsWith('ps') ? name.replace(/\+0x[0-9a-f]+/, '') : name;
    return value.toString(16).padStart(this.values.long * 2, '0');
  }
}
