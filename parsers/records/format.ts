/**
 * The format of an event (tracefs events/SYSTEM/NAME/format, which trace.dat and perf.data carry for what was recorded):
 *
 *     name: page_ref_mod
 *     ID: 599
 *     format:
 *     	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
 *
 *     	field:unsigned long pfn;	offset:8;	size:8;	signed:0;
 *     	field:__data_loc char[] device;	offset:16;	size:4;	signed:0;
 *
 *     print fmt: "pfn=0x%lx flags=%s ...", REC->pfn, ...
 *
 * Sizes decide, not the names of types: an `unsigned long` of a 32-bit kernel has 4 bytes. No print fmt is interpreted.
 */

/** How a field lies in the record. */
export const Lie = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  u64: 6,
  i64: 7,
  /** u32: low half the offset of the bytes from the record's start, high half their length (__data_loc) */
  dataLoc: 8,
  /** the same, the offset from the end of this field (__rel_loc, user_events of 5.18 on) */
  relLoc: 9,
  /** bytes in place: an array, or to the end of the record where the size is 0 */
  inline: 10,
} as const;
export type Lie = (typeof Lie)[keyof typeof Lie];

export interface Field {
  readonly name: string;
  readonly lie: Lie;
  readonly offset: number;
  /** in bytes; 0: to the end of the record */
  readonly size: number;
  readonly signed: boolean;
  /** of arrays: bytes of one element */
  readonly element: number;
  /** an array of `char` */
  readonly isText: boolean;
}

/** Most fields of one event that are looked at. */
const FIELDS_MAX = 64;
const FIELD = /^\s*field:([^;]*);\s*offset:(\d{1,5});\s*size:(\d{1,5});(?:\s*signed:([01]);)?/;

interface Parsed {
  fields: Field[];
  byName: Map<string, Field>;
  common: Field[];
  print: string;
}

export class EventFormat {
  /** `page_ref_mod` */
  readonly name: string;
  /** what `common_type` of its records says; -1: the format does not tell */
  readonly id: number;
  /** `page_ref:page_ref_mod` */
  readonly title: string;
  private parsed: Parsed | undefined;

  constructor(
    readonly system: string,
    private readonly text: string,
    /** bytes of a `long` and of a pointer of that kernel */
    private readonly longBytes: number,
  ) {
    this.name = valueOf(text, 'name:');
    const id = valueOf(text, 'ID:');
    this.id = /^\d{1,5}$/.test(id) ? Number(id) : -1;
    this.title = `${system}:${this.name}`;
  }

  /** the event's own fields */
  get fields(): readonly Field[] {
    return this.whole().fields;
  }

  /** common_type, common_flags, common_preempt_count, common_pid, and what RT kernels add */
  get common(): readonly Field[] {
    return this.whole().common;
  }

  get print(): string {
    return this.whole().print;
  }

  field(name: string): Field | undefined {
    return this.whole().byName.get(name);
  }

  /** A file may carry two thousand formats, of which it uses twenty. */
  private whole(): Parsed {
    if (this.parsed) return this.parsed;
    const parsed: Parsed = (this.parsed = {fields: [], byName: new Map(), common: [], print: ''});
    for (const line of this.text.split('\n')) {
      if (line.startsWith('print fmt:')) parsed.print = line.slice(10).trim();
      const m = FIELD.exec(line);
      const field = m && fieldOf(m[1]!, Number(m[2]), Number(m[3]), m[4] === '1', this.longBytes);
      if (!field) continue;
      const list = field.name.startsWith('common_') ? parsed.common : parsed.fields;
      if (list.length < FIELDS_MAX) list.push(field);
    }
    for (const field of parsed.fields.toReversed()) parsed.byName.set(field.name, field); // of two the first
    return parsed;
  }
}

function valueOf(text: string, key: string): string {
  const at = text.startsWith(key) ? 0 : text.indexOf(`\n${key}`);
  if (at < 0) return '';
  const start = text.indexOf(key, at) + key.length;
  const end = text.indexOf('\n', start);
  return text.slice(start, end < 0 ? undefined : end).trim();
}

/** `unsigned long caller[8]`, `__data_loc char[] device`, `struct page * page` */
function fieldOf(
  declaration: string,
  offset: number,
  size: number,
  signed: boolean,
  longBytes: number,
): Field | undefined {
  let text = declaration.trim();
  let array = -1;
  if (text.endsWith(']')) {
    const bracket = text.lastIndexOf('[');
    if (bracket < 0) return undefined;
    const count = text.slice(bracket + 1, -1).trim();
    array = /^\d+$/.test(count) ? Number(count) : 0;
    text = text.slice(0, bracket).trimEnd();
  }
  let start = text.length;
  while (start > 0 && /\w/.test(text[start - 1]!)) start--;
  const name = text.slice(start);
  if (name === '') return undefined;
  let type = text.slice(0, start).trim();
  const dynamic = type.startsWith('__data_loc') ? Lie.dataLoc : type.startsWith('__rel_loc') ? Lie.relLoc : undefined;
  if (dynamic !== undefined) type = type.replace(/^__(?:data|rel)_loc\s*/, '').replace(/\s*\[\s*\]$/, '');
  const isArray = dynamic !== undefined || array >= 0;
  const isText = isArray && /(?:^|\s)char$/.test(type) && !/unsigned/.test(type);
  if (dynamic !== undefined) {
    // kernels of 2010 kept the offset alone, in two bytes: their text ends at its NUL
    return {name, lie: dynamic, offset, size, signed, element: elementSize(type, longBytes), isText};
  }
  if (array >= 0) {
    const element = array > 0 && size > 0 ? Math.floor(size / array) : elementSize(type, longBytes);
    return {name, lie: Lie.inline, offset, size, signed, element: Math.max(1, element), isText};
  }
  const lie = PLAIN[size];
  if (lie === undefined) return {name, lie: Lie.inline, offset, size, signed, element: 1, isText: false};
  return {name, lie: (signed ? lie + 1 : lie) as Lie, offset, size, signed, element: size, isText: false};
}

const PLAIN: Record<number, Lie> = {1: Lie.u8, 2: Lie.u16, 4: Lie.u32, 8: Lie.u64};

/** Bytes of one element by its type: brackets of kprobe arrays (`u64 pages[]`) tell no number. */
function elementSize(type: string, longBytes: number): number {
  if (type.endsWith('*') || /^(?:unsigned )?long$/.test(type)) return longBytes;
  if (/\b(?:u64|s64|x64|__u64|__s64|long|dma_addr_t|phys_addr_t|sector_t)\b/.test(type)) return 8;
  if (/\b(?:u16|s16|x16|__u16|short)\b/.test(type)) return 2;
  if (/\b(?:u8|s8|x8|__u8|char|bool)\b/.test(type)) return 1;
  return 4;
}
