/**
 * A record as tracefs would print it (include/trace/events/*.h, kernel/trace/trace_kprobe.c), for people: evidence and
 * histories show it where a text trace has its line. No print fmt is interpreted: every family is written from its fields, and
 * what has no family as `name=value`. Times are whole nanoseconds, pointers as they are.
 *
 *             work-442   [000] d..1.    32.400591123: dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 ...
 */
import type {Kallsyms} from '../../src/base/kallsyms.js';
import {type EventFormat, type Field, Lie} from './format.js';
import type {FlagLayout} from '../events/page-flag-layout.js';
import type {Bytes} from './piece.js';
import {printed} from './printk.js';
import {highAt, lowAt, numberAt, Range, textEnd} from './values.js';

/** Longest text of one field. */
const TEXT_MAX = 1000;
/** Most elements of an array that are printed; the kernel's own text has up to 128. */
const ELEMENTS_MAX = 128;

export interface Shown {
  format: EventFormat;
  piece: Bytes;
  base: number;
  end: number;
  comm: string;
  pid: number;
  cpu: number;
  /** ns or ticks of the trace's clock */
  time: bigint;
  unit: 'ns' | 'ticks';
  /** -1: not recorded */
  flags: number;
  preempt: number;
  symbols: Kallsyms | null;
  layout: FlagLayout | undefined;
  /** formats of trace_printk(), by their addresses */
  printk: ReadonlyMap<bigint, string>;
}

export function render(shown: Shown): string {
  const {comm, pid, cpu, time, unit, flags, preempt, format} = shown;
  const when =
    unit === 'ticks'
      ? String(time)
      : `${String(time / 1_000_000_000n).padStart(5)}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
  const context = flags < 0 ? '.....' : contextOf(flags, preempt);
  const head = `${comm.padStart(16)}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, '0')}] ${context} ${when}: `;
  return `${head}${format.name}: ${new Payload(shown).text()}`;
}

/** `d..2.`: interrupts off, needs a resched, context, preempt depth, migration disabled (trace_output.c) */
function contextOf(flags: number, preempt: number): string {
  const hard = flags & 0x08;
  const soft = flags & 0x10;
  const irq = flags & 0x40 ? (hard ? 'Z' : 'z') : hard ? (soft ? 'H' : 'h') : soft ? 's' : '.';
  const off = flags & 0x01 ? (flags & 0x80 ? 'D' : 'd') : flags & 0x80 ? 'b' : '.';
  const depth = (n: number): string => (n === 0 ? '.' : n.toString(16));
  return `${off}${flags & 0x04 ? 'N' : '.'}${irq}${depth(preempt & 15)}${depth(preempt >> 4)}`;
}

const DIRECTIONS = ['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE', 'NONE'];

/** One field of an event without a text of its own, and how it is written. */
interface Assignment {
  name: string;
  field: Field;
  /** large: in hexadecimal where it is more than a small number */
  as: 'text' | 'list' | 'hex' | 'large' | 'number';
}

interface Plan {
  isProbe: boolean;
  assignments: readonly Assignment[];
}

/** By format: thousands of records are of a few. */
const PLANS = new WeakMap<EventFormat, Plan>();

function planOf(format: EventFormat): Plan {
  const isProbe = format.field('__probe_func') !== undefined || format.field('__probe_ip') !== undefined;
  const own = format.fields.filter((field) => !field.name.startsWith('__probe_'));
  return {isProbe, assignments: own.map((field) => ({name: field.name, field, as: howOf(format, field)}))};
}

function howOf(format: EventFormat, {name, lie, isText, size, signed}: Field): Assignment['as'] {
  if (lie >= Lie.dataLoc) return isText ? 'text' : 'list';
  // a probe's format tells how its arguments are printed: `page=0x%Lx offset=0x%Lx size=%u`
  if (format.print.includes(` ${name}=0x%`)) return 'hex';
  if (signed) return 'number';
  if (name.includes('flags')) return 'hex';
  return size === 8 ? 'large' : 'number';
}

class Payload {
  private readonly range = new Range();

  constructor(private readonly shown: Shown) {}

  text(): string {
    const {format} = this.shown;
    const own = TEXTS[format.title];
    if (own) return own(this);
    let plan = PLANS.get(format);
    if (plan === undefined) PLANS.set(format, (plan = planOf(format)));
    let text = plan.isProbe ? this.probe() : '';
    for (const one of plan.assignments) text += `${text === '' ? '' : ' '}${one.name}=${this.valueOf(one)}`;
    return text;
  }

  /** `(unpin_user_page+0x4)`, `(caller+0x10 <- function)` */
  private probe(): string {
    const {format} = this.shown;
    const func = format.field('__probe_func');
    const at = format.field('__probe_ip') ?? format.field('__probe_ret_ip');
    const place = at ? this.place(at) : '';
    return func ? `(${place} <- ${this.place(func).replace(/\+0x[0-9a-f]+/, '')})` : `(${place})`;
  }

  private place(field: Field): string {
    const address = this.big(field);
    return this.shown.symbols?.name(address) ?? address.toString(16);
  }

  private valueOf({field, as}: Assignment): string {
    if (as === 'text') return `"${this.textOf(field)}"`;
    if (as === 'list') return this.list(field);
    if (as === 'number') return this.plain(field);
    const value = this.big(field);
    return as === 'hex' || value > 0xffffn ? `0x${value.toString(16)}` : this.plain(field);
  }

  private at(field: Field): number {
    const at = this.shown.base + field.offset;
    return at + field.size <= this.shown.end ? at : -1;
  }

  private field(name: string): Field | undefined {
    const field = this.shown.format.field(name);
    return field && this.at(field) >= 0 ? field : undefined;
  }

  private big(field: Field): bigint {
    const at = this.at(field);
    if (at < 0) return 0n;
    const {view, little} = this.shown.piece;
    return (BigInt(highAt(view, at, field.lie, little)) << 32n) | BigInt(lowAt(view, at, field.lie, little));
  }

  private plain(field: Field): string {
    const at = this.at(field);
    if (at < 0) return '?';
    const {view, little} = this.shown.piece;
    const value = numberAt(view, at, field.lie, little);
    if (Number.isSafeInteger(value)) return String(value);
    return String(field.signed ? BigInt.asIntN(64, this.big(field)) : this.big(field));
  }

  num(name: string): string {
    const field = this.field(name);
    return field ? this.plain(field) : '?';
  }

  hex(name: string, width = 0): string {
    const field = this.field(name);
    return field ? this.big(field).toString(16).padStart(width, '0') : '?';
  }

  has(name: string): boolean {
    return this.field(name) !== undefined;
  }

  str(name: string): string {
    const field = this.field(name);
    return field ? this.textOf(field) : '?';
  }

  private find(field: Field): boolean {
    const {piece, base, end} = this.shown;
    const at = this.at(field);
    return at >= 0 && this.range.find(piece.view, at, field.lie, field.size, base, end, piece.little);
  }

  private textOf(field: Field): string {
    const {bytes} = this.shown.piece;
    if (field.lie < Lie.dataLoc || !this.find(field)) return '?';
    const {start} = this.range;
    const end = Math.min(textEnd(bytes, start, this.range.end), start + TEXT_MAX);
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  }

  private elements(field: Field): string[] {
    if (field.lie < Lie.dataLoc || !this.find(field)) return [];
    const {view, little} = this.shown.piece;
    const width = field.element;
    const lie = {1: Lie.u8, 2: Lie.u16, 4: Lie.u32, 8: Lie.u64}[width] ?? Lie.u8;
    const out: string[] = [];
    for (let at = this.range.start; at + width <= this.range.end && out.length < ELEMENTS_MAX; at += width) {
      const value = (BigInt(highAt(view, at, lie, little)) << 32n) | BigInt(lowAt(view, at, lie, little));
      out.push(`0x${value.toString(16)}`);
    }
    return out;
  }

  private list(field: Field): string {
    return `{${this.elements(field).join(',')}}`;
  }

  array(name: string): string {
    const field = this.field(name);
    return field ? this.list(field) : '{}';
  }

  length(name: string): number {
    const field = this.field(name);
    return field ? this.elements(field).length : 0;
  }

  dev(name: string, separator: string): string {
    const dev = Number(this.num(name));
    return `${Math.floor(dev / 2 ** 20)}${separator}${dev % 2 ** 20}`;
  }

  dir(): string {
    return DIRECTIONS[Number(this.num('dir'))] ?? this.num('dir');
  }

  /** Attributes of a mapping: nothing where there are none, as the kernel prints it; their bits else. */
  attrs(): string {
    const bits = this.hex('attrs');
    return bits === '0' ? '' : `0x${bits}`;
  }

  pageFlags(): string {
    const {layout} = this.shown;
    const field = this.field('flags');
    if (!field) return '?';
    const bits = Number(this.big(field) & 0xffffffffn);
    if (layout === undefined) return `0x${this.big(field).toString(16)}`;
    return layout.names.filter((_, i) => bits & (1 << i)).join('|') || 'none';
  }

  marker(): string {
    const field = this.shown.format.field('buf');
    return field ? this.textOf(field).replace(/\n$/, '') : '';
  }

  printk(): string {
    const {piece, end, base, symbols, printk} = this.shown;
    const [ip, fmt] = [this.field('ip'), this.field('fmt') ?? this.field('str')];
    if (ip === undefined || fmt === undefined) return '?';
    const address = this.big(fmt);
    const format = printk.get(address);
    const where = this.place(ip).replace(/\+0x[0-9a-f]+/, '');
    if (format === undefined) return `${where}: (no format at ${address.toString(16)})`;
    const buf = this.field('buf');
    if (buf === undefined) return `${where}: ${format.replace(/\n+$/, '')}`;
    const start = base + buf.offset;
    const {view, little} = piece;
    return `${where}: ${printed(format, {view, start, end, little, long: fmt.size, symbols})}`;
  }
}

/** The text of a `bprint` or `bputs`, with the function that has it in front. */
export function printkText(shown: Pick<Shown, 'format' | 'piece' | 'base' | 'end' | 'symbols' | 'printk'>): string {
  return new Payload(shown as Shown).printk();
}

function pageRef(p: Payload): string {
  const tail = [...(p.has('ret') ? [` ret=${p.num('ret')}`] : [])].join('');
  return (
    `pfn=0x${p.hex('pfn')} flags=${p.pageFlags()} count=${p.num('count')} mapcount=${p.num('mapcount')} ` +
    `mapping=${p.hex('mapping', 16)} mt=${p.num('mt')} val=${p.num('val')}${tail}`
  );
}

function page(p: Payload): string {
  return `pfn=0x${p.hex('pfn')} order=${p.has('order') ? p.num('order') : '0'}`;
}

function filemap(p: Payload): string {
  const offset = BigInt(`0x${p.hex('index').replace('?', '0')}`) << 12n;
  const order = p.has('order') ? ` order=${p.num('order')}` : '';
  return `dev ${p.dev('s_dev', ':')} ino ${p.hex('i_ino')} pfn=0x${p.hex('pfn')} ofs=${offset}${order}`;
}

function dmaMap(p: Payload): string {
  return (
    `${p.str('device')} dir=${p.dir()} dma_addr=${p.hex('dma_addr')} size=${p.num('size')} ` +
    `phys_addr=${p.hex('phys_addr')} attrs=${p.attrs()}`
  );
}

function dmaUnmap(p: Payload): string {
  const address = p.has('addr') ? p.hex('addr') : p.hex('dma_addr');
  return `${p.str('device')} dir=${p.dir()} dma_addr=${address} size=${p.num('size')} attrs=${p.attrs()}`;
}

function writeback(p: Payload): string {
  return `bdi ${p.str('name')}: ino=${p.num('ino')} index=${p.num('index')}`;
}

/** Classes of I/O by number (include/uapi/linux/ioprio.h), above 13 bits of hint and level, of ten and three. */
const IO_CLASSES: Readonly<Record<number, string>> = {0: 'none', 1: 'rt', 2: 'be', 3: 'idle', 7: 'invalid'};

function block(p: Payload): string {
  const last = p.has('error') ? p.num('error') : p.str('comm');
  const bytes = p.has('bytes') ? ` ${p.num('bytes')}` : '';
  const command = p.has('cmd') ? p.str('cmd') : '';
  let priority = '';
  if (p.has('ioprio')) {
    const bits = Number(p.num('ioprio'));
    const group = bits >> 13;
    priority = ` ${IO_CLASSES[group] ?? `0x${group.toString(16)}`},${(bits >> 3) & 0x3ff},${bits & 7}`;
  }
  return (
    `${p.dev('dev', ',')} ${p.str('rwbs')}${bytes} (${command}) ${p.num('sector')} + ${p.num('nr_sector')}` +
    `${priority} [${last}]`
  );
}

const TEXTS: Record<string, (p: Payload) => string> = {
  'page_ref:page_ref_set': pageRef,
  'page_ref:page_ref_mod': pageRef,
  'page_ref:page_ref_mod_and_test': pageRef,
  'page_ref:page_ref_mod_and_return': pageRef,
  'page_ref:page_ref_mod_unless': pageRef,
  'page_ref:page_ref_freeze': pageRef,
  'page_ref:page_ref_unfreeze': pageRef,
  'kmem:mm_page_alloc': (p) => `${page(p)} migratetype=${p.num('migratetype')} gfp_flags=0x${p.hex('gfp_flags')}`,
  'kmem:mm_page_free': page,
  'kmem:mm_page_free_batched': page,
  'filemap:mm_filemap_add_to_page_cache': filemap,
  'filemap:mm_filemap_delete_from_page_cache': filemap,
  'dma:dma_map_page': dmaMap,
  'dma:dma_map_phys': dmaMap,
  'dma:dma_unmap_page': dmaUnmap,
  'dma:dma_unmap_phys': dmaUnmap,
  'dma:dma_map_sg': (p) =>
    `${p.str('device')} dir=${p.dir()} nents=${p.length('phys_addrs')}/${p.num('full_nents')} ` +
    `ents=${p.length('dma_addrs')}/${p.num('full_ents')}${p.num('truncated') === '1' ? ' [TRUNCATED]' : ''} ` +
    `dma_addrs=${p.array('dma_addrs')} sizes=${p.array('lengths')} phys_addrs=${p.array('phys_addrs')} attrs=${p.attrs()}`,
  'dma:dma_unmap_sg': (p) => `${p.str('device')} dir=${p.dir()} phys_addrs=${p.array('addrs')} attrs=${p.attrs()}`,
  'iommu:map': (p) => `IOMMU: iova=0x${p.hex('iova', 16)} paddr=0x${p.hex('paddr', 16)} size=${p.num('size')}`,
  'iommu:unmap': (p) =>
    `IOMMU: iova=0x${p.hex('iova', 16)} size=${p.num('size')} unmapped_size=${p.num('unmapped_size')}`,
  'iommu:io_page_fault': (p) =>
    `IOMMU:${p.str('driver')} ${p.str('device')} iova=0x${p.hex('iova', 16)} flags=0x${p.hex('flags', 4)}`,
  'writeback:writeback_dirty_folio': writeback,
  'writeback:writeback_dirty_page': writeback,
  'writeback:folio_wait_writeback': writeback,
  'block:block_rq_issue': block,
  'block:block_rq_complete': block,
  'io_uring:io_uring_register': (p) =>
    `ring ${p.hex('ctx', 16)}, opcode ${p.num('opcode')}, nr_user_files ${p.num('nr_files')}, ` +
    `nr_user_bufs ${p.num('nr_bufs')}, ret ${p.num('ret')}`,
  'ftrace:print': (p) => p.marker(),
  'ftrace:bprint': (p) => p.printk(),
  'ftrace:bputs': (p) => p.printk(),
};
