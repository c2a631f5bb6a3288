/**
 * Grows a real capture to any size: the whole capture again and again, each copy later in time and, unless `samePages`,
 * on other pages. What ties events to each other stays tied: PFNs, pointers to struct page, physical and DMA addresses
 * move together.
 *
 *   node bench/grow.mjs SAMPLE OUT MEGABYTES [--same-pages]
 */
import {closeSync, openSync, readFileSync, writeSync} from 'node:fs';
import {pathToFileURL} from 'node:url';
import {gunzipSync} from 'node:zlib';

const PAGE_BYTES = 4096n;
const STRUCT_PAGE_BYTES = 64n;
/** Copies move on through this much memory and then begin anew, as on a machine of this size. */
const MEMORY_PAGES = 1n << 24n; // 64 GiB

/** What moves: a time, a PFN, a pointer (no error number), an address or a list of them. */
const MOVES =
  /(?<time>\d+)(?=\.\d{6,9}: )|(?<=\bpfn=)0x(?<pfn>[0-9a-f]+)|(?<!vmemmap=)0x(?<pointer>ffff(?!ffff)[0-9a-f]{12})\b|(?<=\b(?:dma_addr|phys_addr|iova|paddr)=)(?<prefix>0x)?(?<address>[0-9a-f]+)|(?<=\b(?:dma_addrs|phys_addrs)=)\{(?<list>[0-9a-fx,]*)\}/g;

/** Cuts the sample into what stays and what moves: `literal, kind, value, width, literal, ...` */
function cut(text) {
  const parts = [];
  let at = 0;
  let pages = 0n;
  let first;
  let last = 0;
  const lineOfTime = {end: 0};
  for (const m of text.matchAll(MOVES)) {
    const {time, pfn, pointer, prefix, address, list} = m.groups;
    if (time !== undefined) {
      if (m.index < lineOfTime.end) continue; // only the first of a line is its time
      lineOfTime.end = text.indexOf('\n', m.index);
      first ??= Number(time);
      last = Math.max(last, Number(time));
      parts.push(text.slice(at, m.index), 'time', BigInt(time));
    } else if (pfn !== undefined) {
      const value = BigInt(`0x${pfn}`);
      if (value >= pages) pages = value + 1n;
      parts.push(`${text.slice(at, m.index)}0x`, 'pfn', value);
    } else if (pointer !== undefined) {
      parts.push(`${text.slice(at, m.index)}0x`, 'pointer', BigInt(`0x${pointer}`));
    } else if (address !== undefined) {
      parts.push(text.slice(at, m.index) + (prefix ?? ''), 'address', BigInt(`0x${address}`));
    } else {
      let before = `${text.slice(at, m.index)}{`;
      for (const item of list.split(',')) {
        if (item === '') continue;
        parts.push(`${before}0x`, 'address', BigInt(item));
        before = ',';
      }
      parts.push(`${before === ',' ? '' : before}}`, 'none', 0n);
    }
    at = m.index + m[0].length;
  }
  return {parts, rest: text.slice(at), seconds: BigInt(last - (first ?? 0) + 1), pages: pages === 0n ? 1n : pages};
}

function* copies(sample, samePages) {
  const {parts, rest, seconds, pages} = cut(sample);
  const kept = {time: 0n, pfn: 0n, pointer: 0n, address: 0n};
  const places = MEMORY_PAGES > pages ? MEMORY_PAGES / pages : 1n;
  for (let copy = 0n; ; copy++) {
    const moved = samePages ? 0n : (copy % places) * pages;
    const by = {
      ...kept,
      time: copy * seconds,
      pfn: moved,
      pointer: moved * STRUCT_PAGE_BYTES,
      address: moved * PAGE_BYTES,
    };
    const out = [];
    for (let i = 0; i < parts.length; i += 3) {
      out.push(parts[i]);
      const kind = parts[i + 1];
      if (kind !== 'none') out.push((parts[i + 2] + by[kind]).toString(kind === 'time' ? 10 : 16));
    }
    out.push(rest);
    yield out.join('');
  }
}

/** Writes at least `bytes` bytes (whole copies) to `out`; answers how many. */
export function grow(sampleFile, out, bytes, samePages = false) {
  const raw = readFileSync(sampleFile);
  const text = (raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw).toString('latin1');
  // tracefs: the header once
  const header = /^(?:#.*\n)*/.exec(text)[0];
  const fd = openSync(out, 'w');
  let written = writeSync(fd, header, null, 'latin1');
  for (const copy of copies(text.slice(header.length), samePages)) {
    written += writeSync(fd, copy, null, 'latin1');
    if (written >= bytes) break;
  }
  closeSync(fd);
  return written;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [sample, out, megabytes, flag] = process.argv.slice(2);
  if (!sample || !out || !(Number(megabytes) > 0)) {
    console.error('usage: node bench/grow.mjs SAMPLE OUT MEGABYTES [--same-pages]');
    process.exit(2);
  }
  console.log(`${grow(sample, out, Number(megabytes) * 1e6, flag === '--same-pages')} bytes`);
}
