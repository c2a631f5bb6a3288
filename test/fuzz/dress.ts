/** Lines as other tools pass them on, and as programs of one's own print them: prefixes and styles, mixed. */
import type {Random} from './random.js';

type Wrap = (line: string, at: number, random: Random) => string;

const two = (n: number): string => String(n % 60).padStart(2, '0');

/** What tools put before a line. */
const WRAPS: Wrap[] = [
  (l, i) => `${i + 1}:${l}`,
  (l, i, r) => `${i * 3 + 1}${r.of([':', '-'])}${l}`,
  (l, i) => `/tmp/a b.txt:${i + 1}:${l}`,
  (l) => `trace.txt:${l}`,
  (l, i, r) => `${r.of(['a', 'b'])}.txt-${i}-${l}`,
  (l, i) => `${String(i + 1).padStart(6)}\t${l}`,
  (l, i) => `${String(i + 1).padStart(7)} ${l}`,
  (l, i) => `L${i}: ${l}`,
  (l, i) => `Jun  2 10:${two(i / 60)}:${two(i)} host trace[12]: ${l}`,
  (l, i) => `2025-06-02T10:${two(i / 60)}:${two(i)}.123456Z ${l}`,
  (l, i) => `[10:${two(i / 60)}:${two(i)}] ${l}`,
  (l, i) => `[ 1234.${String(i).padStart(6, '0')}] host sh[812]: ${l}`,
  (l, i) => `1748858400.${String(i).padStart(6, '0')} ${l}`,
  (l) => `> ${l}`,
  (l) => `>> > ${l}`,
  (l) => `JD> ${l}`,
  (l) => `+${l}`,
  (l) => `| ${l}`,
  (l) => `# ${l}`,
  (l) => `$ ${l}`,
  (l) => `INFO: ${l}`,
  (l) => `[pod/a/b] ${l}`,
  (l) => `host-1 | ${l}`,
  (l) => `{noformat}${l}`,
  (l) => `"${l}"`,
  (l) => `\t${l.trimStart()}`,
  (l) => l.replaceAll('  ', '\xc2\xa0 '),
  (l) => l.replace(/ {2,}/g, '\t'),
  (l) => `\x1b[32m${l}\x1b[0m`,
  (l) => `${l.replaceAll('<', '&lt;').replaceAll('>', '&gt;')}<br>`,
  (l, i) => ` ${i % 3})               |  /* ${l.slice(l.lastIndexOf(': ', 80) + 2)} */`,
];

interface Event {
  t: string;
  cpu: string;
  tid: string;
  comm: string;
  name: string;
  args: string;
}

const SCHEMA = /^(\d+) cpu=(\d+) (?:pid=\d+ )?tid=(\d+) comm=(.{0,15}?) (\w+) ?(.*)$/;
const FTRACE = /^ *(.{1,15}?)-(\d+) +\[(\d+)\] \S+ +(\d+)\.(\d+): (\w+): ?(?:\([^)]*\) )?(.*)$/;

/** What programs print. */
const STYLES: ((e: Event) => string)[] = [
  (e) => `[${e.cpu}] ${e.comm}/${e.tid} ${e.t}: ${e.name} ${e.args}`,
  (e) => `${e.t} ${e.comm}(${e.tid}) cpu=${e.cpu} ${e.name} ${e.args}`,
  (e) => `${e.tid} ${e.comm} ${e.name} ${e.args}`,
  (e) => `${e.t.slice(0, -3)} ${e.comm} ${e.tid} ${e.name} ${e.args}`,
  (e) => `14:03:${two(Number(e.t.slice(0, -9)))}.${e.t.slice(-9, -3)} ${e.comm} ${e.tid} ${e.name} ${e.args}`,
  (e) => `${e.comm}-${e.tid} [00${e.cpu}] ${e.t.slice(0, -9)}.${e.t.slice(-9, -3)}: ${e.name}: ${e.args}`,
  (e) => `${e.t} ${e.cpu} ${e.tid} ${e.comm} kprobe:${e.name} ${e.args}`,
  (e) => `${e.name} t=${e.t} cpu=${e.cpu} pid=${e.tid} comm="${e.comm}" ${e.args}`,
  (e) => [e.t, e.cpu, e.tid, e.comm, e.name, ...e.args.split(' ')].join(','),
  (e) => [e.t, e.cpu, e.tid, e.comm, e.name, ...e.args.split(' ')].join('\t'),
  (e) => `${e.comm} ${e.tid} ${e.name} ${e.args} ${e.t}`,
  (e) => `${e.t} ${e.comm}/${e.tid} ${e.name}(${e.args.replaceAll(' ', ', ')})`,
  (e) => `kprobe:${e.name}: ${e.comm}(${e.tid}) on cpu ${e.cpu} at ${e.t}: ${e.args}`,
  (e) => `${e.t.slice(0, -6)}.${e.t.slice(-6, -3)} ms ${e.comm}[${e.tid}] ${e.name} ${e.args}`,
  (e) => `${e.t} cpu: ${e.cpu} tid: ${e.tid} ${e.name} ${e.args.replaceAll('=', ': ')}`,
  (e) =>
    JSON.stringify({ts: e.t, cpu: Number(e.cpu), pid: Number(e.tid), comm: e.comm, ev: e.name, args: {pfn: e.args}}),
];

function eventOf(line: string): Event | undefined {
  const s = SCHEMA.exec(line);
  if (s) return {t: s[1]!, cpu: s[2]!, tid: s[3]!, comm: s[4]!, name: s[5]!, args: s[6]!};
  const f = FTRACE.exec(line.slice(0, 2000));
  if (!f) return undefined;
  return {t: `${f[4]}${f[5]!.padEnd(9, '0')}`, cpu: f[3]!, tid: f[2]!, comm: f[1]!.trim(), name: f[6]!, args: f[7]!};
}

/** The lines in a style, behind a prefix or two, or as they are; some of them otherwise than the rest. */
export function dressed(lines: readonly string[], random: Random): string[] {
  let out = [...lines];
  if (random.chance(0.15)) {
    const style = random.of(STYLES);
    const other = random.chance(0.2) ? random.of(STYLES) : style;
    out = out.map((line) => {
      const event = eventOf(line);
      return event ? (random.chance(0.95) ? style : other)(event) : line;
    });
  }
  for (let layers = random.chance(0.25) ? 1 + random.below(2) : 0; layers > 0; layers--) {
    const wrap = random.of(WRAPS);
    const share = random.chance(0.7) ? 1 : 0.9;
    out = out.map((line, at) => (share === 1 || random.chance(share) ? wrap(line, at, random) : line));
  }
  return out;
}
