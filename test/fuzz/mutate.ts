/** One case: a part of a real capture, damaged in ways that know what a trace line is made of. */
import {readFileSync} from 'node:fs';
import {gzipSync} from 'node:zlib';
import {dressed} from './dress.js';
import type {Random} from './random.js';
import type {FuzzForm} from './seeds.js';

/** Lines of a capture that a case is made of: enough for whole lives of pages, few enough for many cases a second. */
const WINDOW = 600;
/** Lines before the first event that are kept: headers decide what the rest is. */
const HEAD = 14;
const BYTES_MAX = 4 << 20;

/** The bytes of the inputs (one, sometimes two) of a case. */
export function makeCase(random: Random, seeds: ReadonlyMap<FuzzForm, string[][]>, form: FuzzForm): Buffer[] {
  const inputs = random.chance(0.08) ? 2 : 1;
  return Array.from({length: inputs}, () => oneInput(random, seeds, form));
}

function oneInput(random: Random, seeds: ReadonlyMap<FuzzForm, string[][]>, form: FuzzForm): Buffer {
  let lines = windowOf(random, random.of(seeds.get(form)!));
  if (random.chance(0.1)) {
    const other = windowOf(random, random.of(seeds.get(random.of([...seeds.keys()]))!));
    const at = random.below(lines.length + 1);
    lines = [...lines.slice(0, at), ...other, ...lines.slice(at)];
  }
  lines = dressed(lines, random);
  const rounds = random.chance(0.1) ? 0 : 1 + random.below(random.chance(0.2) ? 60 : 8);
  for (let i = 0; i < rounds; i++) random.of(MUTATIONS)(lines, random);
  // A few mutations that double lines of a megabyte make more than a string can hold.
  for (let at = 0, room = BYTES_MAX; at < lines.length; at++) {
    room -= lines[at]!.length + 2;
    if (room < 0) lines.length = at + 1;
  }
  let text = lines.join(random.chance(0.03) ? '\r\n' : '\n');
  if (text.length > BYTES_MAX) text = text.slice(0, BYTES_MAX);
  for (let i = random.chance(0.15) ? 1 + random.below(20) : 0; i > 0; i--) text = flipByte(text, random);
  if (random.chance(0.1)) text = text.slice(0, random.below(text.length + 1));
  const bytes = Buffer.from(text, 'latin1');
  return random.chance(0.1) ? packed(bytes, random) : bytes;
}

function windowOf(random: Random, lines: readonly string[]): string[] {
  if (lines.length <= WINDOW) return [...lines];
  const size = 20 + random.below(WINDOW);
  const at = random.below(lines.length - size);
  return random.chance(0.8)
    ? [...lines.slice(0, HEAD), ...lines.slice(Math.max(HEAD, at), at + size)]
    : lines.slice(at, at + size);
}

function flipByte(text: string, random: Random): string {
  const at = random.below(text.length);
  return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + random.below(3));
}

/** Compressed text of other kinds: no compressor of these comes with Node, so it is not the case's own text. */
const PACKED = [
  'plain.xz',
  'blocks.xz',
  'streams.xz',
  'delta.xz',
  'small-dictionary.xz',
  'plain.zst',
  'frames.zst',
].map((name) => readFileSync(new URL(`../io/fixtures/${name}`, import.meta.url)));

/** As gzip, xz or zstd: whole, cut, damaged, twice, or with garbage behind it. */
function packed(bytes: Buffer, random: Random): Buffer {
  const gz = random.chance(0.4) ? Buffer.from(random.of(PACKED)) : gzipSync(bytes);
  const how = random.below(5);
  if (how === 1) return gz.subarray(0, random.below(gz.length));
  if (how === 2) for (let i = 1 + random.below(4); i > 0; i--) gz[random.below(gz.length)] = random.below(256);
  if (how === 3) return Buffer.concat([gz, gzipSync(bytes)]);
  if (how === 4) return Buffer.concat([gz, bytes.subarray(0, 1000)]);
  return gz;
}

// --- lines

type Mutation = (lines: string[], random: Random) => void;

function edit(lines: string[], random: Random, change: (line: string) => string): void {
  if (lines.length === 0) return;
  const at = random.below(lines.length);
  lines[at] = change(lines[at]!);
}

/** Replaces one of the matches of a pattern in a random line; looks at a few lines for one. */
function replaceOne(lines: string[], random: Random, pattern: RegExp, by: (match: string) => string): void {
  for (let tries = 0; tries < 10 && lines.length > 0; tries++) {
    const at = random.below(lines.length);
    const matches = [...lines[at]!.matchAll(pattern)];
    if (matches.length === 0) continue;
    const m = random.of(matches);
    lines[at] = lines[at]!.slice(0, m.index) + by(m[0]) + lines[at]!.slice(m.index + m[0].length);
    return;
  }
}

const NUMBERS = [
  '0', '-1', '1', '1023', '1024', '-1024', '1025', '2147483647', '-2147483648', '4294967295', '4294967296',
  '9007199254740993', '18446744073709551615', '18446744073709551616', '99999999999999999999999999999999',
  '0x0', '0xffffffffffffffff', '0xfffff00000000000', '0x8000000000000000', '0x10000000000000000', 'ffffffffffffffff',
  '-0x1', '1e308', 'NaN', '0.5', '', '(null)', '00000000000000000000000000000001', '١٢', '512', '100000', '9', '18', '63', '64',
]; // prettier-ignore

const COMMS = [
  '\x1b[2J\x1b[31m', '\x1b]0;title\x07', 'a-1 [000] .....', 'x-1', '-', '<...>', ' ', '', '[000]', 'a b c', '\0\0',
  '\xe2\x80\xae', '\xff\xfe', '\xc3', '\xf0\x9f\x98', '<script>alert(1)</script>', '`|*_[]', '\x9b31m', '=', 'a'.repeat(300),
  'wl-309 [000] ..... 1.0: page_ref_mod: pfn=0x1 val=1024', '] [001] d..1. 5.000000: ', '\r', '\x7f', '\t', '"}', '\\n', '\xc2\x85',
]; // prettier-ignore

const TIMES = [
  '0.000000', '99999999999.999999', '18446744073.709551', '0.000001', '9007199254.740993', '18446744073709551615',
  '-1.000000', '5.', '.5', '17.2354941234567', '1e9', '123456789', '9223372036854775807',
]; // prettier-ignore

const MUTATIONS: Mutation[] = [
  // whole lines
  (lines, r) => lines.splice(r.below(lines.length + 1), 1 + r.below(r.chance(0.2) ? 50 : 3)),
  (lines, r) => {
    const from = r.below(lines.length);
    lines.splice(r.below(lines.length + 1), 0, ...lines.slice(from, from + 1 + r.below(r.chance(0.2) ? 100 : 5)));
  },
  (lines, r) => {
    if (lines.length < 2) return;
    const [a, b] = [r.below(lines.length), r.below(lines.length)];
    [lines[a], lines[b]] = [lines[b]!, lines[a]!];
  },
  (lines, r) => edit(lines, r, (line) => line.slice(0, r.below(line.length + 1))),
  (lines, r) => edit(lines, r, (line) => line.slice(r.below(line.length + 1))),
  (lines, r) => edit(lines, r, (line) => line + (lines[r.below(lines.length)] ?? '')),
  (lines, r) => {
    const from = r.below(lines.length);
    const part = lines.splice(from, 2 + r.below(30));
    lines.splice(from, 0, ...(r.chance(0.5) ? part.toReversed() : part.sort(() => r.next() - 0.5)));
  },
  // one line, very often
  (lines, r) => {
    const line = lines[r.below(lines.length)];
    if (line !== undefined && r.chance(0.3)) {
      lines.splice(r.below(lines.length), 0, ...Array.from<string>({length: 200 + r.below(3000)}).fill(line));
    }
  },
  // numbers of all kinds
  (lines, r) => replaceOne(lines, r, /(?<=[=:,{(\s])-?(?:0x)?[0-9a-f]+(?=[\s,})]|$)/g, () => r.of(NUMBERS)),
  (lines, r) => replaceOne(lines, r, /(?<==)-?\d+/g, (n) => String(Number(n) + r.below(5) - 2)),
  (lines, r) => replaceOne(lines, r, /(?<==)(?:0x)?[0-9a-f]+/g, () => `0x${r.below(2 ** 32).toString(16)}`),
  (lines, r) => replaceOne(lines, r, /\b(?:order|nr|npages|refs|val|count|mapcount|size|index|mt)=-?[0-9a-fx]+/g, (m) => `${m.split('=')[0]}=${r.of(NUMBERS)}`),
  (lines, r) => replaceOne(lines, r, /pfn=0x[0-9a-f]+/g, () => `pfn=0x${r.of(['0', 'fffffffffffff', '1', '3ffffffffff', '100000000', r.below(4096).toString(16)])}`),
  // one page for all: lives run into each other
  (lines, r) => {
    const page = /pfn=0x[0-9a-f]+/.exec(lines.find((line) => line.includes('pfn=0x')) ?? '')?.[0];
    if (page !== undefined && r.chance(0.5)) lines.forEach((line, i) => (lines[i] = line.replace(/pfn=0x[0-9a-f]+/, page)));
  },
  (lines, r) => replaceOne(lines, r, /0xffff[0-9a-f]{12}/g, (p) => r.of(['0xffffffffffffffff', '0x0', `${p.slice(0, -2)}01`, `0x${p.slice(3)}`, p.slice(0, 9)])),
  // times
  (lines, r) => replaceOne(lines, r, /\d+\.\d{6,9}(?=:)|^\d{9,}/g, () => r.of(TIMES)),
  (lines, r) => {
    const from = r.below(lines.length);
    const by = r.of([-5, 5, 100, 1e5, 1e9, -1e-6]);
    for (let i = from; i < Math.min(lines.length, from + 40); i++)
      lines[i] = lines[i]!.replace(/\d+\.\d{6}(?=:)/, (t) => Math.abs(Number(t) + by).toFixed(6));
  },
  // columns before the event
  (lines, r) => replaceOne(lines, r, /^ *\S+(?=-\d)|comm=\S+|^[^:[]+/g, () => r.of(COMMS)),
  (lines, r) => replaceOne(lines, r, /\[\d{3}\]/g, () => r.of(['[8191]', '[9999]', '[-01]', '[]', '[001]', '[4294967296]', '[1', '[000000000000000]'])),
  (lines, r) => replaceOne(lines, r, /(?<=-)\d+(?= )/g, () => r.of(NUMBERS)),
  (lines, r) => replaceOne(lines, r, /(?<=\] )\S{4,6}(?= )/g, () => r.of(['d.h1.', 'D.s3.', 'NNNNN', '.....', 'dNZf9', '', 'd', '\xff\xff\xff\xff\xff', 'bhZffff'])),
  // names of events and of fields
  (lines, r) => replaceOne(lines, r, /\w+(?=: )/g, () => r.of(['page_ref_mod', 'page_ref_mod_and_test', 'page_ref_freeze', 'dma_map_sg', 'dma_unmap_page', 'mm_page_alloc', 'mm_page_free', 'gup_put_folio', 'unpin_user_pages', '__proto__', 'constructor', 'x'.repeat(5000), ''])),
  (lines, r) => replaceOne(lines, r, /\b\w+=/g, () => r.of(['pfn=', 'val=', 'val=val=', '=', '__proto__=', 'toString=', 'flags=', 'dir=', ' ', 'order='])),
  (lines, r) => replaceOne(lines, r, /(?<=flags=)\S*/g, () => r.of(['', '|', 'head', 'locked|writeback|head', '0xffffffffffffffff', 'x|'.repeat(500), 'none', '\x1b[1m'])),
  // lists
  (lines, r) => replaceOne(lines, r, /\{[^}]*\}|\[[^\]]{8,}\]/g, (list) => r.of(['{}', '[]', '{', `{${'0xfffff00000000040,'.repeat(r.below(5000))}}`, list + list, list.slice(0, -1), '{{{{{{{{', `[${'0x1000, '.repeat(3000)}]`])),
  // damage
  (lines, r) => edit(lines, r, (line) => line.replace(/ /g, () => r.of([' ', '  ', '\t', '\0', '\xa0', '']))),
  (lines, r) => lines.splice(r.below(lines.length + 1), 0, r.of(['', '\0'.repeat(100), '\xff'.repeat(50), ' '.repeat(1000), '>'.repeat(300), '> '.repeat(2000), '(', '{'.repeat(2000), '['.repeat(2000), '"'.repeat(999), '='.repeat(2000), ':'.repeat(2000), '-1'.repeat(1000), 'a='.repeat(1000), '\xe2\x80\xae'])),
  (lines, r) => {
    if (r.chance(0.1)) lines.splice(r.below(lines.length + 1), 0, r.of(['x', '> ', '=', '0 ', '{"', 'a=', ' => ']).repeat(r.chance(0.3) ? 600_000 : 20_000));
  },
  // losses, headers, stacks
  (lines, r) => lines.splice(r.below(lines.length + 1), 0, r.of(['CPU:0 [LOST 12 EVENTS]', 'CPU:1 [LOST EVENTS]', 'CPU:99999999999 [LOST 99999999999999999999 EVENTS]', 'CPU:0 [LOST -1 EVENTS]', '##### CPU 1 buffer started ####', '# entries-in-buffer/entries-written: 1/99999999999   #P:2', '# tracer: function', '#', 'Lost 18446744073709551615 events', '{"type": "lost_events", "data": {"events": 99}}', '{"type": "printf", "data": "', '{"type": "map", "data": {"@": {"a": [1, {"b": 2}]}}}', '# vmemmap_base: 0xffffffffffffffff', '# kernel: 6.1', 'BUG: Bad page state in process x  pfn:2f30', '[    1.000000] page: refcount:-1023 mapcount:0 mapping:0 index:0x0 pfn:0x2f30', 'head: order:9 mapcount:0 pincount:-1', 'page dumped because: x', '           wl-309     [000] .....    17.231918: tracing_mark_write: pfn=0x2fb0 \x1b[31m', '    wl-309     [000] .....    17.231918: my_event: pfns 0x2fb0,0x2fb1', 'START vmemmap=0x1', '--', '-- ', 'Content-Type: multipart/mixed; boundary="a"', '--a', 'Content-Transfer-Encoding: base64', 'Content-Transfer-Encoding: quoted-printable', '=3D=', '='])),
  (lines, r) => lines.splice(r.below(lines.length + 1), 0, ...stack(r)),
]; // prettier-ignore

/** A call stack, or what is left of one. */
function stack(r: Random): string[] {
  const frames = Array.from({length: r.chance(0.05) ? 5000 : r.below(12)}, (_, i) =>
    r.of([
      ` => pin_user_pages_fast+0x${i}/0x90`,
      ' => ',
      ' =>',
      '        ffffffffb9b7f290 unpin_user_page+0x4 ([kernel.kallsyms])',
      '    gup_put_folio+0',
      ' => \x1b[7m',
      ` => ${'f'.repeat(500)}`,
    ]),
  );
  const head = r.of([
    '          <idle>-0       [001] d.s1.    17.300000: <stack trace>',
    ' <stack trace>',
    '          wl-309     [000] .....    17.235494: <stack trace>',
    '',
  ]);
  return [head, ...frames, ...(r.chance(0.5) ? [''] : [])];
}
