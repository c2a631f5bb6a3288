/** What other tools put around the lines of a trace: taken away, told, and shown again where a line is evidence. */

import {readdirSync, readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import {type LineForm, readsRecords} from '../../parsers/form.js';
import {wrappingOf} from '../../parsers/prefix/unwrap.js';
import {expectSame, readWith, type Seen} from './collect.js';

const REF = 'page_ref_mod: pfn=0x4a10 flags=uptodate|lru count=1026 mapcount=1 mapping=0000000000000000 mt=1 val=1024';
const DROP =
  'page_ref_mod_and_test: pfn=0x4a10 flags=uptodate|lru count=2 mapcount=1 mapping=0000000000000000 mt=1 val=-1024 ret=0';

const FORMS: Record<string, string[]> = {
  ftrace: [
    `             wrk-701     [001] d..2   500.100001: ${REF}`,
    `          <idle>-0       [003] d.h1.  500.400001: ${DROP}`,
    `     kworker/0:1-20      [000] .....  502.100001: mm_page_free: page=00000000dc8c03bd pfn=0x4a10 order=2`,
  ],
  'trace-cmd': [
    `             wrk-701   [001]   500.100001: page_ref_mod:         pfn=0x4a10 flags=0x20 count=1026 mapcount=1 mapping=(nil) mt=1 val=1024`,
    `          <idle>-0     [003]   500.400001: mm_page_free:         page=0x4a10 pfn=0x4a10 order=2`,
    `          <idle>-0     [003]   500.500001: mm_page_free:         page=0x4a11 pfn=0x4a11 order=0`,
  ],
  'perf-script': [
    `             wrk     701 [001]   500.100001: page_ref:page_ref_mod: pfn=0x4a10 flags=0x20 count=1026 mapcount=1 mapping=0x0 mt=1 val=1024`,
    `         swapper       0 [003]   500.400001: kmem:mm_page_free: page=0x4a10 pfn=0x4a10 order=2`,
    `     kworker/0:1      20 [000]   502.100001: kmem:mm_page_free: page=0x4a11 pfn=0x4a11 order=0`,
  ],
  bpftrace: [
    `500100001000 cpu=1 pid=701 tid=701 comm=wrk unpin_user_page page=0xffffea0000128400`,
    `500400001000 cpu=3 pid=0 tid=0 comm=swapper/3 mm_page_free pfn=0x4a10 order=2`,
    `502100001000 cpu=0 pid=20 tid=20 comm=kworker/0:1 mm_page_free pfn=0x4a11 order=0`,
  ],
};

type Wrap = (line: string, at: number) => string;
const WRAPS: Record<string, Wrap> = {
  'grep -n': (l, i) => `${12 + 5 * i}:${l}`,
  'grep -C': (l, i) => `${12 + i}${i === 1 ? ':' : '-'}${l}`,
  'grep -H': (l) => `trace.txt:${l}`,
  'grep -Hn in two files': (l, i) => `${i < 2 ? 'a' : 'sub/b'}.txt:${12 + i}:${l}`,
  'grep -HC': (l, i) => (i === 0 ? `/tmp/my-trace.txt:7:${l}` : `/tmp/my-trace.txt-${7 + i}-${l}`),
  'cat -n': (l, i) => `${String(i + 1).padStart(6)}\t${l}`,
  'less -N': (l, i) => `${String(i + 1).padStart(7)} ${l}`,
  'uniq -c': (l) => `      1 ${l}`,
  'an editor': (l, i) => `Line ${i + 10}: ${l}`,
  'numbers in brackets': (l, i) => `${i + 10}) ${l}`,
  'hash numbers': (l, i) => `#${i + 10} ${l}`,
  'numbers with a bar': (l, i) => `${i + 10} | ${l}`,
  diff: (l) => `+${l}`,
  'a comment': (l) => `# ${l}`,
  'a table': (l) => `| ${l}`,
  tabs: (l) => `\t${l.trimStart()}`,
  ts: (l, i) => `10:00:0${i} ${l}`,
  'ts of seconds since 1970': (l, i) => `1748858400.12345${i} ${l}`,
  'an ISO time': (l, i) => `2025-06-02T10:00:0${i}.1234567Z ${l}`,
  'a time in brackets': (l, i) => `[2025-06-02 10:00:0${i},123] ${l}`,
  syslog: (l, i) => `Jun  2 10:00:0${i} build-7 trace-cmd[1234]: ${l}`,
  journalctl: (l, i) => `Jun 02 10:00:0${i} build-7 sh[77]: ${l}`,
  'kubectl --timestamps --prefix': (l, i) => `[pod/web-1/app] 2025-06-02T10:00:0${i}.1Z ${l}`,
  'container runtime': (l, i) => `2025-06-02T10:00:0${i}.123456789+02:00 stdout F ${l}`,
  'container runtime, at full hours': (l, i) => `2025-06-02T10:00:0${i}.000137000+02:00 stdout F ${l}`,
  'journalctl -o short-iso-precise': (l, i) => `2025-11-22T10:00:0${i}.000137+01:00 my-host tracer[812]: ${l}`,
  'ts -s': (l, i) => `00:00:0${i} ${l}`,
  pdsh: (l) => `node17: ${l}`,
  'docker compose': (l) => `wl-1  | ${l}`,
  'grep of a numbered log': (l, i) => `12${i}:2025-06-02 10:00:0${i}: ${l}`,
  colours: (l) => l.replace(/(wrk|swapper|pfn)/, '\x1b[01;31m\x1b[K$1\x1b[m\x1b[K'),
  'grep -n --color': (l, i) => `\x1b[32m\x1b[K${3 + i}\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K${l}`,
  'git grep -n': (l, i) => `HEAD:trace.txt:${5 + i}:${l}`,
  'grep -H, a name without a dot': (l) => `trace:${l}`,
  'rg, numbers that grow': (l, i) => `${9 + i * 91}:${l}`,
  bat: (l, i) => `${String(i + 9).padStart(4)} │ ${l}`,
  'L10:': (l, i) => `L${i + 10}: ${l}`,
  'a job of several': (l, i) => `[${i + 1}/3] ${l}`,
  'a host': (l) => `node07: ${l}`,
  'a level': (l) => `INFO: ${l}`,
  "python's logging": (l, i) => `2025-06-02 10:00:0${i},123 INFO root: ${l}`,
  logcat: (l, i) => `06-02 10:00:0${i}.123  1234  1234 I trace   : ${l}`,
  'RFC 5424': (l, i) => `<165>1 2025-06-02T10:00:0${i}.003Z build-7 app 123 ID47 - ${l}`,
  'syslog-ng': (l, i) => `<13>Jun  2 10:00:0${i} build-7 trace: ${l}`,
  'journalctl -o short-monotonic': (l, i) => `[ 1234.56789${i}] build-7 sh[812]: ${l}`,
  'journalctl -o short-iso': (l, i) => `2025-06-02T10:00:0${i}+0200 build-7 sh[812]: ${l}`,
  'a runner of CI': (l, i) => `2025-06-02T10:00:0${i}.123456Z 01O ${l}`,
  'a prompt': (l) => `$ ${l}`,
  'a quote by name': (l) => `JD> ${l}`,
  'diff, taken away': (l) => `-${l}`,
  'a list': (l) => ` * ${l}`,
  'two tools': (l, i) => `build.log:${40 + i}:[10:00:0${i}] ${l}`,
  'no-break spaces': (l) => l.replaceAll(' ', '\u00a0'),
  'quotation marks': (l) => `"${l}"`,
  '{noformat}': (l) => `{noformat}${l}`,
  entities: (l) => l.replaceAll('=', '=&lt;&gt;').replaceAll('=&lt;&gt;', '&#61;').replaceAll('<', '&lt;') + '<br>',
};

function formOf(bytes: Uint8Array): {form: LineForm; evidence: string[]} {
  const found = detect(bytes);
  if (found.outcome !== 'read') throw new Error(`${found.outcome}: ${found.message}`);
  const {form, evidence} = found;
  if (readsRecords(form)) throw new Error('is no text');
  return {form, evidence};
}

function readAny(bytes: Uint8Array, sizes?: readonly number[]): {seen: Seen[]; unrecognised: number} {
  const {form} = formOf(bytes);
  const {seen, reader} = readWith((sink, options) => form.open(sink, options), bytes, sizes);
  return {seen, unrecognised: reader.counters.unrecognised};
}

const events = (seen: Seen[]): Seen[] => seen.filter((s) => 'kind' in s);
const bare = (s: Seen): Seen => ({...s, offset: 0, raw: ''});

describe.each(Object.entries(FORMS))('%s', (id, lines) => {
  const plain = events(readAny(Buffer.from(`${lines.join('\n')}\n`)).seen).map(bare);

  it('is known without a prefix', () => {
    expect(plain).toHaveLength(3);
    expect(wrappingOf(Buffer.from(`${lines.join('\n')}\n`))).toBeUndefined();
  });

  it.each(Object.entries(WRAPS).filter(([name]) => name !== 'colours' || id !== ''))('%s', (_name, wrap) => {
    const wrapped = lines.map(wrap);
    const bytes = Buffer.from(`${wrapped.join('\n')}\n`);
    const {form, evidence} = formOf(bytes);
    expect(form.id).toBe(id);
    expect(evidence.join('\n')).toMatch(/before the line stands|colour codes|HTML|no-break/);
    const {seen, unrecognised} = readAny(bytes);
    expect(unrecognised).toBe(0);
    expect(events(seen).map(bare)).toEqual(plain);
    // what is shown is the line as it stands in the input, at its place
    expect(events(seen).map((s) => s['raw'])).toEqual(wrapped.map((l) => Buffer.from(l).toString('latin1')));
    let offset = 0;
    const offsets = wrapped.map((l) => (offset += Buffer.byteLength(l) + 1) - Buffer.byteLength(l) - 1);
    expect(events(seen).map((s) => s['offset'])).toEqual(offsets);
  });

  it('any of them, in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(WRAPS)),
        fc.array(fc.integer({min: 1, max: 200}), {minLength: 1, maxLength: 4}),
        fc.boolean(),
        (wrap, sizes, ended) => {
          const bytes = Buffer.from(lines.map(wrap).join('\n') + (ended ? '\n' : ''));
          expectSame(readAny(bytes, sizes).seen, readAny(bytes).seen);
        },
      ),
      {numRuns: 40},
    );
  });

  it.each(['utf16le', 'utf16be', 'utf8'] as const)('with a byte order mark: %s', (encoding) => {
    const text = `\ufeff${lines.join('\r\n')}\r\n`;
    const bytes = encoding === 'utf8' ? Buffer.from(text) : Buffer.from(text, 'utf16le');
    if (encoding === 'utf16be') bytes.swap16();
    const {form, evidence} = formOf(bytes);
    expect(form.id).toBe(id);
    expect(evidence[0]).toMatch(/byte order mark|UTF-16/);
    expect(events(readAny(bytes, [7, 64]).seen).map(bare)).toEqual(plain);
  });
});

describe('what is no prefix', () => {
  it.each([
    ['a comm of digits', '              12-701     [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=2'],
    ['a comm like a file', '     kworker/0:1-701     [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=2'],
    [
      'a comm like a file, left aligned',
      'kworker/0:1-701 [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=2',
    ],
    ['a comm like a path', 'a/b.txt:1-701 [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=2'],
    ['perf', 'kworker/0:1   701 [001]   500.100001: kmem:mm_page_free: page=0 pfn=0x4a10 order=2'],
    ['a pid first', '500    app              gup_put_folio pfn=0x4a10'],
  ])('%s', (_name, line) => {
    expect(wrappingOf(Buffer.from(`${line}\n`.repeat(4)))).toBeUndefined();
  });

  it('is found in no sample', () => {
    const dir = new URL('../../sample-traces/', import.meta.url);
    const names = readdirSync(dir, {recursive: true, encoding: 'utf8'}).filter((name) => /\.txt(\.gz)?$/.test(name));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      const bytes = readFileSync(new URL(name, dir));
      const wrapping = wrappingOf(name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
      expect([name, wrapping?.layers]).toEqual([name, undefined]);
    }
  });
});

describe('a dump in a kernel log', () => {
  const dump = [
    '[  516.125674] Dumping ftrace buffer:',
    '[  516.125675] ---------------------------------',
    `[  516.125676]      wrk-701       1d..2. 276242022us : ${REF}`,
    '[  516.125677]  => try_grab_folio',
    `[  516.125678]      wrk-701       1d..2. 276242032us : ${DROP}`,
    '[  516.125679] ---------------------------------',
  ];
  const plain = events(readAny(Buffer.from(`${dump.join('\n')}\n`)).seen).map(bare);
  const names = [
    'grep -n', 'git grep -n', 'cat -n', 'less -N', 'bat', 'a host', 'a prompt', 'ts', 'logcat', 'RFC 5424', 'a runner of CI', 'two tools',
    "python's logging", 'journalctl -o short-monotonic', 'a level', 'no-break spaces', 'colours',
  ]; // prettier-ignore
  it.each([...names, 'four blanks'])('%s', (name) => {
    const wrap: Wrap = WRAPS[name] ?? ((l) => `    ${l}`);
    const bytes = Buffer.from(`${dump.map(wrap).join('\n')}\n`);
    expect(formOf(bytes).form.id).toBe('dmesg');
    expect(plain).toHaveLength(2);
    expect(events(readAny(bytes, [9]).seen).map(bare)).toEqual(plain);
  });
});

describe('what was left out between the lines', () => {
  const excerpt = (wrap: Wrap): unknown => {
    const bytes = Buffer.from(`${FORMS['ftrace']!.map(wrap).join('\n')}\n`);
    return readAny(bytes).seen.find((s) => s['fact'] === 'excerpt')?.['value'];
  };
  it('is known from gaps in the numbers, or from the name of a file', () => {
    expect(excerpt(WRAPS['grep -n']!)).toMatch(/gaps/);
    expect(excerpt(WRAPS['grep -H']!)).toMatch(/grep/);
    const whole = [
      'cat -n',
      'container runtime',
      'container runtime, at full hours',
      'journalctl -o short-iso-precise',
    ];
    for (const name of [...whole, 'ts -s', 'pdsh']) expect([name, excerpt(WRAPS[name]!)]).toEqual([name, undefined]);
  });

  it('lines of two files are sorted by time', () => {
    const text = (wrap: Wrap): boolean =>
      formOf(Buffer.from(FORMS['ftrace']!.map(wrap).join('\n') + '\n')).form.ordered;
    expect(text(WRAPS['grep -Hn in two files']!)).toBe(false);
    expect(text(WRAPS['grep -H']!)).toBe(true);
  });
});

describe('pages', () => {
  const VIEWER = 'var x = function(a, b) { return a + b; }; // a line of the viewer\n'.repeat(200);
  const page = (lines: string[], end = ''): Buffer =>
    Buffer.from(
      `<!DOCTYPE html>\n<html><head><script>\n${VIEWER}</script></head><body>\n<script class="trace-data" type="application/text">${end}\n` +
        `# tracer: nop${end}\n${lines.map((l) => `${l}${end}\n`).join('')}  </script>\n<script>${FORMS['ftrace']![0]}</script>\n</body></html>\n`,
    );

  it.each([
    ['of systrace', ''],
    ['of old systrace', '\\n\\'],
  ])('%s: the trace in it is read, nothing else', (_name, end) => {
    const bytes = page(FORMS['ftrace']!, end);
    const {form, evidence} = formOf(bytes);
    expect(form.id).toBe('ftrace');
    expect(evidence.join()).toContain('an HTML page');
    const {seen, unrecognised} = readAny(bytes, [100, 7]);
    expect(unrecognised).toBe(0);
    expect(events(seen).map((s) => s['line'])).toEqual([206, 207, 208]);
    expect(events(seen)[0]!['comm']).toBe('wrk');
  });
});
