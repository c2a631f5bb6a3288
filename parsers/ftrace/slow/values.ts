/** Words, numbers and arrays of a payload, by pattern and string, for the slow reader. */

import {Key, KEY_NAMES, NUMBERED_KEY_NAMES} from '../../events/keys.js';

const KEYS = new Map(KEY_NAMES);
const NUMBERED_KEYS = new Map(NUMBERED_KEY_NAMES);

export interface Field {
  key: number;
  index: number;
  value: string;
  /** `{`, `A`, `"`, `(` or nothing */
  shape: string;
  /** where the value begins and ends in the line */
  start: number;
  stop: number;
}

/** The `key=value` pairs from `pos` on. */
export function fieldsOf(line: string, pos: number): Field[] {
  const fields: Field[] = [];
  while (pos < line.length) {
    const word = /^[^ =]*/.exec(line.slice(pos))![0];
    pos += word.length;
    if (line[pos] !== '=' || word === '') {
      pos++;
      continue;
    }
    pos++;
    const rest = line.slice(pos);
    let shape = '';
    let value: string;
    let skip = 1;
    let m: RegExpExecArray | null;
    if ((m = /^\{([^}]*)/.exec(rest))) shape = '{';
    else if ((m = /^"((?:[^"]|"(?! |$))*)/.exec(rest))) shape = '"';
    else if ((m = /^A...Y\[([^\]]*)/.exec(rest))) {
      shape = 'A';
      skip = 6;
    } else if ((m = /^\(([^ ]*?)\)?(?= |$)/.exec(rest))) shape = '(';
    if (m) value = m[1]!;
    else {
      value = /^[^ ]*/.exec(rest)![0];
      skip = 0;
    }
    const start = pos + skip;
    const stop = start + value.length;
    pos = stop + (shape === '(' && line[stop] === ')' ? 2 : 1);
    let key = KEYS.get(word) ?? Key.unknown;
    let index = 0;
    if (key === Key.unknown) {
      const numbered = /^(.*?)(\d+)$/.exec(word);
      key = (numbered && NUMBERED_KEYS.get(numbered[1]!)) ?? Key.unknown;
      if (numbered) index = Number(numbered[2]);
    }
    if (key !== Key.unknown) fields.push({key, index, value, shape, start, stop});
  }
  return fields;
}

/** The field of a key; of several the last. */
export function last(fields: readonly Field[], key: number): Field | undefined {
  return fields.findLast((f) => f.key === key);
}

/** The number of a key; `otherwise` where there is none. */
export function num(fields: readonly Field[], key: number, otherwise: number, bareHex = false): number {
  const field = last(fields, key);
  return field ? number(field.value, bareHex) : otherwise;
}

/** `0x1f`, `31`, `-31`; bare digits may be hexadecimal */
export function number(value: string, bareHex = false): number {
  if (value.startsWith('-')) return -number(value.slice(1), bareHex);
  const prefixed = /^0[xX]([0-9a-fA-F]+)/.exec(value);
  const digits = prefixed ? prefixed[1]! : /^[0-9a-fA-F]*/.exec(value)![0];
  if (prefixed || bareHex) return digits === '' ? 0 : Number(BigInt(`0x${digits}`));
  const decimal = /^\d*/.exec(value)![0];
  return decimal === '' ? 0 : Number(BigInt(decimal));
}

/** 64 bits of a pointer or number as an unsigned integer */
export function wide(value: string): bigint {
  const prefixed = /^0[xX]([0-9a-fA-F]+)/.exec(value);
  if (prefixed) return BigInt.asUintN(64, BigInt(`0x${prefixed[1]}`));
  if (/^[0-9a-fA-F]{16}$/.test(value)) return BigInt(`0x${value}`);
  const decimal = /^\d*/.exec(value)![0];
  return decimal === '' ? 0n : BigInt.asUintN(64, BigInt(decimal));
}

export function signed(value: string): number {
  const n = number(value);
  if (n < 2 ** 31) return n;
  if (n < 2 ** 32) return n - 2 ** 32;
  if (n < 2 ** 63) return n;
  return Number(BigInt.asIntN(32, wide(value)));
}

export const high = (v: bigint): number => Number(v >> 32n);
export const low = (v: bigint): number => Number(v & 0xffffffffn);
export const isPointer = (v: bigint): boolean => v >= 1n << 63n && v < 0xfffffffffffff000n;

export function elements(field: Field, width: number): bigint[] {
  if (field.shape === '{') {
    return field.value
      .split(',')
      .map((word) => word.replace(/^ +/, ''))
      .filter((word) => word !== '')
      .map((word) =>
        /^[0-9a-fA-F]{16}$/.test(word) ? BigInt.asUintN(64, BigInt(/^\d*/.exec(word)![0] || '0')) : wide(word),
      );
  }
  const out: bigint[] = [];
  let bytes: bigint[] = [];
  for (const byte of field.value.match(/[^, ]+/g) ?? []) {
    if (!/^[0-9a-fA-F]{2}$/.test(byte)) break;
    bytes.push(BigInt(`0x${byte}`));
    if (bytes.length === width) {
      out.push(bytes.reduceRight((sum, b) => (sum << 8n) | b, 0n));
      bytes = [];
    }
  }
  return out;
}

/** All bits of an address set: what mapping failed with. */
export function allOnes(value: string): boolean {
  const digits = value.length > 2 && value[1] === 'x' ? value.slice(2) : value;
  return /^(?:[fF]{8}|[fF]{16})$/.test(digits) || (digits.length === 20 && digits === '18446744073709551615');
}
