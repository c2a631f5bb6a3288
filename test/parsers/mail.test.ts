/** Mails made from real traces by quoting, encoding, wrapping and cutting: what is recovered equals what was put in. */

import {readFileSync} from 'node:fs';
import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import type {LineForm} from '../../parsers/form.js';
import {ftrace} from '../../parsers/ftrace/index.js';
import {mail} from '../../parsers/mail/index.js';
import {perfScript} from '../../parsers/perf-script/index.js';
import {traceCmd} from '../../parsers/trace-cmd/index.js';
import {expectSame, read, type Seen} from './collect.js';
import {encodeBase64, encodeQuotedPrintable, wrapAt} from './mail-writer.js';
import {FTRACE_LINES} from './ftrace-lines.js';

const SAMPLE = readFileSync(new URL('../../sample-traces/mail/early-unpin-6.12.txt', import.meta.url), 'latin1');

/**
 * Real lines on a clock in seconds, of events that are decoded. Not those whose words mean something by their place
 * (block_*, io_uring_*), nor the raw fields that tools print where they cannot do better.
 */
const NAMES =
  /\d\.\d{6}: (?:page_ref_|mm_page_|mm_filemap_|dma_|map:|unmap:|writeback_dirty_folio|\w*(?:folio|user_page))/;
const LINES = FTRACE_LINES.filter((line) => NAMES.test(line) && !/ARRAY\[|\[FAILED|=\S+ \(/.test(line));
const LINE = LINES.find((line) => line.includes(' page_ref_mod_and_test: '))!;

const HEADER = [
  'From: "A. Maintainer" <maintainer@example.org>',
  'Subject: Re: page unpinned too early?',
  'Date: Fri, 21 Nov 2025 14:03:11 +0000',
  'Message-ID: <20251121140311.1@example.org>',
];

/** Everything about an event but where it stands. */
function bare(seen: Seen[]): Seen[] {
  return seen
    .filter((s) => 'kind' in s || 'stack' in s || 'frame' in s)
    .map(({line: _line, offset: _offset, raw: _raw, ...rest}) => rest);
}

function message(body: string[], ...fields: string[]): string {
  return [...HEADER, ...fields, '', ...body, ''].join('\n');
}

const EXPECTED = bare(read(ftrace, LINES.join('\n')).seen);

describe('the sample', () => {
  it('gives back the page’s whole life', () => {
    const {seen, reader} = read(mail, SAMPLE);
    expect(reader.counters).toMatchObject({unrecognised: 0, events: 17});
    expect(bare(seen).map((s) => s['kind'])).toEqual(
      (
        'RefSet PageAlloc RefMod RefMod PinCall Grab RefModUnless RefMod GrabReturn PinReturn ' +
        'DmaMap UnpinCall GupPut RefModAndTest DmaUnmap FoliosPut RefModAndTest'
      ).split(' '),
    );
    expect(seen[0]).toEqual({fact: 'excerpt', value: '1'});
    expect(seen).toContainEqual({loss: {input: 0, line: 45, cpu: -1, count: -1, what: 'cut'}});
  });

  it('is the same at any chunk size', () => {
    const whole = read(mail, SAMPLE).seen;
    fc.assert(
      fc.property(fc.array(fc.integer({min: 1, max: 200}), {minLength: 1, maxLength: 4}), (sizes) => {
        expectSame(read(mail, SAMPLE, sizes).seen, whole);
      }),
      {numRuns: 20},
    );
  });
});

describe('every real line survives', () => {
  const quoted = (depth: number) => LINES.map((line) => '> '.repeat(depth) + line);
  it.each([
    ['as it is', message(LINES)],
    ['quoted once', message(quoted(1))],
    ['quoted five times', message(quoted(5))],
    ['quoted without blanks', message(LINES.map((line) => `>>>${line}`))],
    ['without a header', `On Friday B. wrote:\n${quoted(1).join('\n')}\nindeed\n`],
    ['wrapped at 72', message(LINES.flatMap((line) => wrapAt(line, 72)))],
    ['quoted and wrapped at 78', message(LINES.flatMap((line) => wrapAt(line, 76).map((piece) => `> ${piece}`)))],
    ['wrapped after quoting', message(quoted(1).flatMap((line) => wrapAt(line, 76)))],
    ['with CRLF', message(quoted(1)).replaceAll('\n', '\r\n')],
    ['with no-break spaces', message(quoted(1).map((line) => line.replaceAll('  ', '\xc2\xa0 ')))],
    [
      'quoted-printable',
      message(encodeQuotedPrintable(quoted(2)), 'Content-Transfer-Encoding: Quoted-Printable', 'MIME-Version: 1.0'),
    ],
    ['quoted-printable that nobody declares', encodeQuotedPrintable(quoted(1)).join('\n')],
    ['base64', message(encodeBase64(quoted(1)), 'Content-Transfer-Encoding: base64')],
    [
      'a part among others',
      message(
        [
          'This is a multi-part message in MIME format.',
          '--=_b',
          'Content-Type: text/html',
          '',
          'page_ref_mod: pfn=0x1 count=1 mapcount=0 mt=1 val=1',
          '--=_b',
          'Content-Type: text/plain; charset=utf-8',
          'Content-Transfer-Encoding: base64',
          '',
          ...encodeBase64(LINES),
          '--=_b--',
          'page_ref_mod: pfn=0x1 count=1 mapcount=0 mt=1 val=1',
        ],
        'Content-Type: multipart/alternative;',
        '\tboundary="=_b"',
      ),
    ],
    ['forwarded', message(message(LINES).split('\n'), 'Content-Type: message/rfc822')],
    ['in an mbox', `From maintainer@example.org Fri Nov 21 14:03:11 2025\n${message(LINES)}`],
  ])('%s', (_how, text) => {
    const {seen, reader} = read(mail, text);
    expect(bare(seen)).toEqual(EXPECTED);
    expect(reader.counters.unrecognised).toBe(0);
    expect(detect(Buffer.from(text, 'latin1').subarray(0, 65536))).toMatchObject({outcome: 'read', form: {id: 'mail'}});
  });

  it('with its stack', () => {
    const stack = [
      LINE,
      LINE.replace(/: page_ref.*/, ': <stack trace>'),
      ' => gup_put_folio',
      ' => unpin_user_pages+0x4/0xc0',
    ];
    const {seen} = read(mail, message(stack.map((line) => `> ${line}`)));
    expect(bare(seen).slice(1)).toEqual([
      expect.objectContaining({stack: 'begin'}),
      {frame: 'gup_put_folio'},
      {frame: 'unpin_user_pages+0x4/0xc0'},
      {stack: 'end'},
    ]);
  });
});

describe('other tools’ lines', () => {
  const TRACE_CMD = [
    '            bash-439   [000]    23.693262: page_ref_mod:         pfn=0x2eac flags=0x20808 count=2 mapcount=0 mapping=0xffff888004628549 mt=1 val=1',
    '            bash-439   [000]    23.693422: try_grab_folio:       (ffffffff812a7974) folio=0xffffea00000bab00 refs=1 flags=0x50003',
    '            bash-439   [000]    23.693751: try_grab_folio_ret:   (ffffffff812a7974 <- ffffffff812a7b5b) ret=0',
    '            bash-439   [000]    23.693760: kernel_stack:         <stack trace >',
    '=> try_grab_folio (ffffffff812a7974)',
  ];
  const PERF = [
    'perf612     386 [001]    18.371710:              page_ref:page_ref_mod_unless: pfn=0x8e39 flags=0x2011c count=3 mapcount=-1 mapping=0xffff888004c27358 mt=1 val=1 ret=1',
    '\tffffffff8133b2d3 __page_ref_mod_unless+0x43 ([kernel.kallsyms])',
    '\tffffffff8126be86 filemap_get_entry+0x146 ([kernel.kallsyms])',
    '\t    7f6a7ed1638f write+0x4f (/lib/x86_64-linux-gnu/libc.so.6)',
    '',
    '       perf-exec     469/470     [001]    25.781083479:                        gup:try_grab_folio: (ffffffffa7780384) folio=0xfffffb1a416e1240 refs=1 flags=0x50003',
  ];

  it('trace-cmd report', () => {
    const {seen} = read(mail, message(TRACE_CMD.map((line) => `> ${line}`)));
    expect(bare(seen)).toEqual(bare(read(traceCmd, `cpus=2\n${TRACE_CMD.join('\n')}`).seen));
  });

  it('perf script', () => {
    const {seen} = read(mail, message(PERF.map((line) => `> ${line}`)));
    const direct = bare(read(perfScript, PERF.join('\n')).seen);
    expect(bare(seen).filter((s) => !('stack' in s))).toEqual(direct.filter((s) => !('stack' in s)));
    expect(bare(seen)).toContainEqual({frame: 'filemap_get_entry+0x146'});
  });

  it('an ftrace dump, as a log has it', () => {
    const text = message([
      '> [   15.553903]     fio-1234      3..... 276242022us : page_ref_mod: pfn=0x206a78 flags=none count=3 val=-1',
    ]);
    expect(bare(read(mail, text).seen)).toMatchObject([
      {kind: 'RefMod', pid: 1234, cpu: 3, comm: 'fio', pfn: 0x206a78, val: -1},
    ]);
  });
});

describe('columns cut away', () => {
  const rest = LINE.slice(LINE.indexOf('page_ref_mod_and_test'));
  const time = /\d+\.\d+: /.exec(LINE)![0];

  it.each([
    [`${time}${rest}`, {cpu: -1, pid: -1}],
    [`[001] ${time}${rest}`, {cpu: 1, pid: -1}],
    [`[001] d.s2. ${time}${rest}`, {cpu: 1, pid: -1, context: 1}],
    [`309   [000] ..... ${time}${rest}`, {cpu: 0, pid: 309, comm: ''}],
    [`wl-309 ${time}${rest}`, {cpu: -1, pid: 309, comm: 'wl'}],
  ])('%s', (line, columns) => {
    const [event] = bare(read(mail, message([`> ${line}`])).seen);
    const [whole] = bare(read(ftrace, LINE).seen);
    expect(event).toMatchObject({
      kind: 'RefModAndTest',
      pfn: whole!['pfn'],
      val: whole!['val'],
      t: whole!['t'],
      ...columns,
    });
  });

  it('take the time of the event above, and before the first time the first', () => {
    const bareLine = 'page_ref_mod: pfn=0x10 count=3 mt=1 val=1';
    const text = message([bareLine, `1.000005: ${bareLine}`, bareLine, `1.000009: ${bareLine}`]);
    expect(bare(read(mail, text).seen).map((s) => s['t'])).toEqual([5000, 5000, 5000, 9000]);
  });

  it('of a whole mail leave the order', () => {
    const {seen} = read(
      mail,
      message(['page_ref_mod: pfn=0x10 val=1', '', 'and then', 'page_ref_mod: pfn=0x10 val=-1']),
    );
    expect(bare(seen)).toMatchObject([
      {t: 0, cpu: -1, pid: -1, val: 1},
      {t: 1, val: -1},
    ]);
    expect(seen).toContainEqual({fact: 'clock_unit', value: 'ticks'});
  });

  it('do not make events of prose', () => {
    const text = message([
      'I saw page_ref_mod: pfn=0x10 count=3 val=1 twice, with val=-1 after it.',
      'unmap: the mapping=0 case',
      'Note: count=3 is fine',
      'a-1 b: c=d',
    ]);
    expect(bare(read(mail, text).seen)).toEqual([]);
  });
});

describe('what is cut out', () => {
  it.each(['[snip]', '<snip>', '> [...]', '...', '[ ... ]', '(snip 200 lines)', '[cut]', '> > [trimmed]'])(
    '%s',
    (mark) => {
      const losses = read(mail, message([LINE, mark, LINE])).seen.filter((s) => 'loss' in s);
      expect(losses).toEqual([{loss: {input: 0, line: 7, cpu: -1, count: -1, what: 'cut'}}]);
      // an excerpt has no beginning anyway
      expect(read(mail, message([mark, LINE])).seen.filter((s) => 'loss' in s)).toEqual([]);
    },
  );

  it('at the end of a line is an event lost, not a change by 0', () => {
    for (const end of [LINE.indexOf(' val='), LINE.indexOf(' mt='), LINE.indexOf(' ret=')]) {
      const {seen, reader} = read(mail, message([`> ${LINE.slice(0, end)}`, '> thanks']));
      expect(bare(seen)).toEqual([]);
      expect(seen.filter((s) => 'loss' in s)).toMatchObject([{loss: {line: 6, count: 1}}]);
      expect(reader.counters.firstUnrecognised).toMatchObject([{line: 6}]);
    }
  });

  it('of a line above leaves pairs that are nobody’s', () => {
    const {seen, reader} = read(mail, message(['> mapping=00000000261e2897 mt=1 val=-1024 ret=0']));
    expect(bare(seen)).toEqual([]);
    expect(reader.counters.unrecognised).toBe(1);
  });
});

describe('breaks', () => {
  it('within a word are mended', () => {
    for (const at of [LINE.indexOf('mapping=') + 12, LINE.indexOf('val=') + 5]) {
      const {seen} = read(mail, message([LINE.slice(0, at), LINE.slice(at)]));
      expect(bare(seen)).toEqual(bare(read(ftrace, LINE).seen));
    }
  });

  it('do not draw in what is not the event’s', () => {
    for (const next of ['so count=3 there', 'thanks,', '24 lines later', '> deeper=1 val=7', '-- ']) {
      const [event] = bare(read(mail, message([LINE, next])).seen);
      expect(event).toEqual(bare(read(ftrace, LINE).seen)[0]);
    }
  });
});

describe('lines cut at a column, as a terminal cuts them', () => {
  const folded = (lines: readonly string[], width: number): string[] =>
    lines.flatMap((line) => line.match(new RegExp(`.{1,${width}}`, 'g')) ?? ['']);
  const readFound = (text: string): ReturnType<typeof read> => {
    const found = detect(Buffer.from(text));
    expect(found).toMatchObject({outcome: 'read', form: {id: 'mail'}});
    return read((found as {form: LineForm}).form, text);
  };

  it.each([72, 76, 78, 80, 100, 120])('are put together again: %i', (width) => {
    const text = folded(LINES, width).join('\n');
    const {seen, reader} = readFound(text);
    expect(bare(seen)).toEqual(EXPECTED);
    expect(reader.counters.unrecognised).toBe(0);
    expect(bare(readFound(message(folded(LINES, width).map((line) => `> ${line}`))).seen)).toEqual(EXPECTED);
  });

  it('are not those of one length by chance, nor of quoted-printable', () => {
    const same = Array.from({length: 20}, (_, i) => [LINE.replace('val=', `val=${i % 10}`), 'thanks,', '']).flat();
    expect(mail.sniff(Buffer.from(message(same))).evidence.join()).not.toMatch(/column/);
    const stacks = Array.from({length: 20}, () => [LINE, ' => __alloc_pages', ' => do_syscall_64']).flat();
    expect(mail.sniff(Buffer.from(stacks.join('\n'))).evidence.join()).not.toMatch(/column/);
    const encoded = encodeQuotedPrintable(LINES);
    expect(mail.sniff(Buffer.from(message(encoded))).evidence.join()).not.toMatch(/column/);
    expect(mail.sniff(Buffer.from(message(LINES.flatMap((line) => wrapAt(line, 76))))).evidence.join()).not.toMatch(
      /column/,
    );
  });
});

describe('lines of perf script that are broken between words', () => {
  const COLUMNS = '              wl     472 [001]    26.322390:            ';
  const PAYLOADS = [
    'gup:try_grab_folio_fast_ret: (ffffffffa7780050 <- ffffffffa7783f88) folio=0xfffffb1a401ad300',
    'filemap:mm_filemap_delete_from_page_cache: dev 0:29 ino 35c5f3 pfn=0x68a2 ofs=0 order=0',
    'dma:dma_unmap_sg: [FAILED TO PARSE] device=pinbug.0 addrs=ARRAY[00, 20, c7, 06, 00, 00, 00, 00, 00, 80, c7, 06, 00, 00, 00, 00] dir=0 attrs=0x0',
    'dma:dma_map_sg: [FAILED TO PARSE] device=pinbug.0 full_nents=2 full_ents=2 truncated=0 phys_addrs=ARRAY[00, 90, c7, 06, 00, 00, 00, 00, 00, 80, c7, 06, 00, 00, 00, 00] dma_addrs=ARRAY[00, 90, c7, 06, 00, 00, 00, 00, 00, 80, c7, 06, 00, 00, 00, 00] lengths=ARRAY[00, 10, 00, 00, 00, 10, 00, 00] dir=0 attrs=0x0',
    'gup:gup_put_folio: (ffffffffa777f290) folio=0xfffffb1a401ad280 refs=1 flags=0x80000',
  ];
  const TRACE = PAYLOADS.map((payload) => COLUMNS + payload);
  const direct = read(perfScript, TRACE.join('\n'));
  /** at the last blank that fits, of however many */
  const greedy = (line: string, width: number): string[] => {
    const at = line.length > width ? line.lastIndexOf(' ', width) : -1;
    return at <= line.search(/[^> ]/) ? [line] : [line.slice(0, at), ...greedy(line.slice(at + 1), width)];
  };

  it.each([72, 76, 80, 88, 96, 100, 104, 120])('at %i columns, before and after quoting', (width) => {
    const before = TRACE.flatMap((line) => greedy(line, width));
    const quoted = before.map((line) => `> ${line}`);
    // who answers without care: the marks stand before the first piece only
    const after = TRACE.flatMap((line) => greedy(`> ${line}`, width));
    for (const body of [before, quoted, after]) {
      const {seen, reader} = read(mail, message(body));
      expect(bare(seen)).toEqual(bare(direct.seen));
      expect(reader.counters).toMatchObject({unrecognised: 0, events: TRACE.length});
    }
  });
});

describe('hostile mails', () => {
  const part = fc.constantFrom(
    ...HEADER,
    '',
    '--=_b',
    '--=_b--',
    'Content-Type: multipart/mixed; boundary="=_b"',
    'Content-Type: message/rfc822',
    'Content-Transfer-Encoding: base64',
    'Content-Transfer-Encoding: quoted-printable',
    'PiA+IHBhZ2VfcmVmX21vZDogcGZuPTB4MTAgdmFsPTE=',
    '====',
    '=',
    '=3D=',
    `${'>'.repeat(300)} page_ref_mod: pfn=0x1 val=1`,
    `> ${LINE}`,
    LINE.slice(0, 70),
    LINE.slice(70),
    ' => frame',
    'CPU:1 [LOST 3 EVENTS]',
    '[snip]',
    'From x Fri',
    `boundary=${'b'.repeat(5000)}`,
    '\0\xff\xc2\xa0\xc2',
  );
  it('are read to their end, the same at any chunk size', () => {
    fc.assert(
      fc.property(
        fc.array(part, {maxLength: 40}),
        fc.array(fc.integer({min: 1, max: 100}), {minLength: 1, maxLength: 3}),
        (parts, sizes) => {
          const text = parts.join('\n');
          const whole = read(mail, text);
          expectSame(read(mail, text, sizes).seen, whole.seen);
          expect(whole.reader.counters.lines).toBe(text === '' ? 0 : text.replace(/\n$/, '').split('\n').length);
        },
      ),
      {numRuns: 200},
    );
  });

  it('of one endless line are bounded', () => {
    const {reader} = read(mail, message(encodeBase64(['x'.repeat(3 << 20)]), 'Content-Transfer-Encoding: base64'));
    expect(reader.counters).toMatchObject({tooLong: 1, events: 0});
    const soft = `${'x'.repeat(75)}=\n`.repeat(20_000);
    expect(read(mail, message([soft], 'Content-Transfer-Encoding: quoted-printable')).reader.counters.tooLong).toBe(1);
  });

  it('nested without end are read no further', () => {
    const deep = Array.from({length: 50}, (_, i) => `Content-Type: multipart/mixed; boundary="b${i}"\n\n--b${i}`).join(
      '\n',
    );
    expect(read(mail, `${HEADER[0]}\n${deep}\n\n${LINE}\n`).reader.counters.events).toBeLessThanOrEqual(1);
  });
});

describe('detection', () => {
  it('leaves whole traces to their own forms', () => {
    for (const form of [ftrace, perfScript, traceCmd]) expect(form.id).not.toBe('mail');
    expect(detect(Buffer.from(LINES.join('\n'), 'latin1'))).toMatchObject({form: {id: 'ftrace'}});
  });

  it('finds nothing in a mail without a trace', () => {
    expect(detect(Buffer.from('Hello,\n\nthe page (pfn=0x10) is fine.\n\nBye\n')).outcome).toBe('unknown');
  });
});

describe('as people mail it', () => {
  const HEAD = 'From: A <a@example.org>\nTo: b@example.org\nSubject: pins\n\n';
  const PIN =
    '             wrk-701     [001] d..2   500.100001: page_ref_mod: pfn=0x4a10 flags=uptodate|lru count=1026 mapcount=1 mapping=0000000000000000 mt=1 val=1024';
  const FREE = '             irq-702     [002] d..2   500.100101: mm_page_free: page=0 pfn=0x4a10 order=0';
  const of = (body: string): Seen[] => read(mail, HEAD + body).seen.filter((s) => 'kind' in s);

  it('shows lines once more: one event each', () => {
    const {seen} = read(mail, `${HEAD}${PIN}\n${FREE}\n\nagain:\n> ${FREE.trim()}\n\t${PIN.trim()}\n`);
    expect(seen.filter((s) => 'kind' in s).map((s) => s['line'])).toEqual([5, 6]);
    expect(seen).toContainEqual({fact: 'repeated_lines', value: '2'});
  });

  it.each([
    ['after the time', '> wrk 701 [001] 500.100001:\n> kmem:mm_page_free: page=0 pfn=0x4a10 order=0\n'],
    ['before the time', '> wrk 701 [001]\n> 500.100001: kmem:mm_page_free: page=0 pfn=0x4a10 order=0\n'],
    ['within the time', 'wrk 701 [001] 500.1\n00001: kmem:mm_page_free: page=0 pfn=0x4a10 order=0\n'],
    ['after the task', 'wrk-701\n[001] ..... 500.100001: mm_page_free: page=0 pfn=0x4a10 order=0\n'],
    [
      'behind the number of grep',
      '12:             wrk-701     [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=0\n',
    ],
    ['behind a tab', '\twrk-701     [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=0\n'],
  ])('with a break or a mark %s', (_where, body) => {
    expect(of(body)).toMatchObject([{kind: 'PageFree', comm: 'wrk', pid: 701, cpu: 1, pfn: 0x4a10, line: 5}]);
  });

  it('counts what perf script prints of other events', () => {
    const {reader} = read(mail, `${HEAD}> sh  701 [002]  2541.601278: sched:sched_process_fork: comm=sh pid=701\n`);
    expect([...reader.counters.eventsByName()]).toEqual([['sched:sched_process_fork', 1]]);
    const found = mail.sniff(Buffer.from(`${HEAD}  wrk-48  [002] ....   978.554289: sched_switch: prev_comm=a\n`));
    expect(found.evidence.at(-1)).toBe('no event about pages among them');
  });
});

describe('a program of bpftrace that a mail quotes', () => {
  const OUTPUT = readFileSync(new URL('../../sample-traces/bpftrace/mixed-6.12.txt', import.meta.url), 'latin1')
    .split('\n')
    .slice(0, 80);
  const styled = OUTPUT.flatMap((line) => {
    const m = /^(\d+) cpu=(\d) pid=\d+ tid=(\d+) comm=(.{0,15}?) (\w+) (\w+=.*)$/.exec(line);
    return m ? [`kprobe:${m[5]}: ${m[4]}(${m[3]}) on ${m[2]} at ${m[1]}: ${m[6]}`] : [];
  });
  const kinds = (text: string): unknown[] => {
    const found = detect(Buffer.from(text, 'latin1'));
    if (found.outcome !== 'read') throw new Error(found.message);
    expect(found.form.id).toBe('bpftrace');
    return read(found.form as LineForm, text).seen.flatMap((s) =>
      'kind' in s ? [[s['kind'], s['cpu'], s['pid'], s['comm']]] : [],
    );
  };
  it.each([
    ['of the schema', OUTPUT],
    ['of its own style', styled],
  ])('%s is read, whatever stands around it', (_name, lines) => {
    const plain = kinds(lines.join('\n'));
    expect(plain.length).toBeGreaterThan(50);
    const quoted = (marks: string): string => lines.map((line) => marks + line).join('\n');
    expect(kinds(quoted('> '))).toEqual(plain);
    expect(kinds(message(['Hello,', '', ...quoted('> ').split('\n'), '', 'Regards']))).toEqual(plain);
    expect(kinds(message(['Hello,', '', ...lines, '', 'Regards']))).toEqual(plain);
    expect(kinds(message(quoted('>> ').split('\n')))).toEqual(plain);
    // `pfn=3D0x2a00` is no page 0x3
    const encoded = message(encodeQuotedPrintable(lines), 'Content-Transfer-Encoding: quoted-printable');
    const found = detect(Buffer.from(encoded, 'latin1'));
    expect(found.outcome === 'read' ? found.form.id : found.outcome).toBe(lines === OUTPUT ? 'refused' : 'mail');
  });
});

describe('a log that a mail quotes', () => {
  it('keeps its times out of the tasks', () => {
    const line = (t: string): string =>
      `> [  516.12567${t}]      wrk-701       1d..2. 27624202${t}us : mm_page_free: page=0 pfn=0x4a10 order=0`;
    const {seen} = read(mail, [line('1'), line('2')].join('\n'));
    expect(seen.filter((s) => 'kind' in s).map((s) => s['comm'])).toEqual(['wrk', 'wrk']);
  });
});

describe('attachments', () => {
  const part = (fields: string[], body: string[]): string[] => ['--=_a', ...fields, '', ...body];
  const mixed = (...parts: string[][]): string =>
    message(
      [...part(['Content-Type: text/plain'], ['Hello, see the trace.', '']), ...parts.flat(), '--=_a--'],
      'Content-Type: multipart/mixed; boundary="=_a"',
    );
  const lines = LINES.slice(0, 40);
  const expected = bare(read(ftrace, lines.join('\n')).seen);
  it.each([
    [
      'text/plain',
      ['Content-Type: text/plain; name="trace.txt"', 'Content-Disposition: attachment; filename="trace.txt"'],
      lines,
    ],
    [
      'text/x-log in base64',
      ['Content-Type: text/x-log; name="trace.log"', 'Content-Transfer-Encoding: base64'],
      encodeBase64(lines),
    ],
    [
      'of no type, by its name, in base64',
      ['Content-Type: application/octet-stream; name="trace.txt"', 'Content-Transfer-Encoding: base64'],
      encodeBase64(lines),
    ],
    [
      'of no type, by its file',
      [
        'Content-Type: application/octet-stream',
        'Content-Disposition: attachment;',
        ' filename=ftrace-dump',
        'Content-Transfer-Encoding: quoted-printable',
      ],
      encodeQuotedPrintable(lines),
    ],
  ])('are read: %s', (_name, fields, body) => {
    const {seen} = read(mail, mixed(part(fields, body)), [7, 300]);
    expect(bare(seen)).toEqual(expected);
  });

  it('that are no text are named', () => {
    const {seen} = read(
      mail,
      mixed(
        part(
          ['Content-Type: application/gzip; name="trace.txt.gz"', 'Content-Transfer-Encoding: base64'],
          ['H4sIAAAA'],
        ),
        part(
          ['Content-Type: application/octet-stream; name="trace.dat"', 'Content-Transfer-Encoding: base64'],
          ['FwgE'],
        ),
        part(['Content-Type: text/plain; name="trace.txt"'], lines),
      ),
    );
    expect(bare(seen)).toEqual(expected);
    expect(seen.find((s) => s['fact'] === 'attachments_not_read')?.['value']).toBe(
      'trace.txt.gz (application/gzip), trace.dat (application/octet-stream): save them, and give them as traces',
    );
  });
});
