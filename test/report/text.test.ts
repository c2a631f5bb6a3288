import * as fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {
  ascii,
  markdownBlock,
  markdownCode,
  printable,
  printableDeep,
  scriptJson,
  untabbed,
} from '../../src/words/clean.js';
import {bytes, chop, decoded, duration, number, pageRuns, time, wrap} from '../../src/words/format.js';
import {defectText} from '../../src/words/defects.js';
import {parseKallsyms, symbolised} from '../../src/base/kallsyms.js';
import {trimmed} from '../../src/report/stacks.js';
import type {Report} from '../../src/results/report.js';
import {commandText, repeatable} from '../../src/words/words.js';

const anyText = fc.string({unit: 'binary', maxLength: 60});

describe('defects', () => {
  const defect = (id: string, count: number, message: string): string =>
    defectText({id, severity: 'warning', count, message, advice: ''});

  it('are counted where there can be more of them', () => {
    expect(defect('lost-events', 1, 'events of CPU 0 were lost (1 markers)')).toBe(
      'events of CPU 0 were lost (1 markers): 1',
    );
    expect(defect('cut-input', 1, 'the input ends early: cut')).toBe('the input ends early: cut');
    expect(defect('rule-failed-pin-leak', 1, 'pin-leak ended')).toBe('pin-leak ended');
  });
});

describe('clean', () => {
  it('leaves nothing that moves a cursor, hides or reorders', () => {
    // eslint-disable-next-line no-control-regex
    const bad = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
    fc.assert(fc.property(anyText, (text) => !bad.test(printable(text)) && /^[\x20-\x7e]*$/.test(ascii(text))));
  });

  it('shows what was there', () => {
    expect(printable('a\u001b[31mb\nc\u202ed é')).toBe('a\\x1b[31mb\\nc\\u202ed é');
    expect(ascii('é\u{1f600}')).toBe('\\xe9\\u{1f600}');
    expect(untabbed('\tffff a\tb')).toBe('        ffff a  b');
  });

  it('makes JSON that cannot end a script element, and that reads back the same', () => {
    fc.assert(
      fc.property(fc.array(anyText), (list) => {
        const text = scriptJson([...list, '</script><!--', '\u2028']);
        expect(text).not.toMatch(/[<>&\u2028]/);
        expect(JSON.parse(text)).toEqual([...list, '</script><!--', '\u2028']);
      }),
    );
  });

  it('closes code spans and blocks only where it means to', () => {
    fc.assert(
      fc.property(fc.string({unit: fc.constantFrom('`', 'a', '|', '\n', ' '), minLength: 1}), (text) => {
        const span = markdownCode(text);
        const fence = /^`+/.exec(span)?.[0] ?? '';
        const body = span.slice(fence.length, span.length - fence.length);
        expect(span.endsWith(fence)).toBe(true);
        expect((body.match(/`+/g) ?? []).every((run) => run.length !== fence.length)).toBe(true);
        const block = markdownBlock([text]);
        const blockFence = /^`+/.exec(block)?.[0] ?? '';
        expect(block.split('\n').filter((line) => line.startsWith(blockFence))).toHaveLength(2);
      }),
    );
    expect(markdownCode('a|b')).toBe('`a\\|b`');
  });

  it('cleans every string of a value', () => {
    expect(printableDeep({a: ['\u001b'], 'k\n': {b: 1, c: null}})).toEqual({a: ['\\x1b'], 'k\\n': {b: 1, c: null}});
  });
});

describe('format', () => {
  it('writes times as tracefs does', () => {
    expect(time('17235494000')).toBe('17.235494');
    expect(time('17235494123')).toBe('17.235494123');
    expect(time('9007199254740993000')).toBe('9007199254.740993');
    expect(time(null, '46021779126')).toBe('46021779126');
    expect(time(null)).toBe('-');
  });

  it('writes durations with three digits', () => {
    expect([0, 850, 1000, 12_345, 123_456, 3_211_000, 4_500_000_000, 612e9].map((ns) => duration(ns))).toEqual([
      '0 ns',
      '850 ns',
      '1 us',
      '12.3 us',
      '123 us',
      '3.21 ms',
      '4.5 s',
      '612 s',
    ]);
  });

  it('folds pages into runs, folios by their size', () => {
    const pages = ['0x2fb1', '0x2fb0', '0x10', '0x2fb2'].map((pfn) => ({pfn, order: 0}));
    expect(pageRuns([...pages, {pfn: '0x400', order: 9}, {pfn: '0x2fb2', order: 0}])).toEqual([
      '0x10',
      '0x400-0x5ff',
      '0x2fb0-0x2fb2',
    ]);
  });

  it('decodes counts', () => {
    expect(decoded({refs: 4, pins: 1, raw: 1027})).toBe('1027 = 1 pin + 3 references');
    expect(decoded({refs: 2, pins: 0, raw: 2})).toBe('2 = no pin + 2 references');
    expect(decoded({refs: null, pins: 2, raw: null})).toBe('2 pins + an unknown number of references');
    expect(decoded({refs: 0, pins: 0, raw: 0})).toBe('0: no reference left');
    expect(decoded(null)).toBe('unknown');
  });

  it('groups and scales', () => {
    expect([number(6692), number(999), number(1234567)]).toEqual(['6,692', '999', '1,234,567']);
    expect([bytes(812), bytes(1_082_307), bytes(8_500_000_000)]).toEqual(['812 B', '1.1 MB', '8.5 GB']);
  });

  it('wraps and chops without losing words or exceeding the width', () => {
    fc.assert(
      fc.property(
        fc.string({unit: fc.constantFrom('a', 'b', ' '), maxLength: 300}),
        fc.integer({min: 8, max: 80}),
        (text, width) => {
          const pieces = chop(text, width);
          expect(pieces.every((piece) => piece.length <= width)).toBe(true);
          expect(pieces.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
          expect(wrap(text, width).join(' ').split(/ +/).filter(Boolean)).toEqual(text.split(/ +/).filter(Boolean));
        },
      ),
    );
  });

  it('quotes a command for a shell', () => {
    expect(commandText(['pinscope', 'analyze', "it's.txt", '--time', '1,2'])).toBe(
      `pinscope analyze "it's.txt" --time 1,2`,
    );
    expect(commandText(['a b', "$it's"])).toBe(`'a b' '$it'\\''s'`);
  });

  it('names no folder of the reporter', () => {
    const input = {path: 'logs/trace.txt'} as Report['inputs'][number];
    const command = [
      'pinscope',
      'analyze',
      'logs/trace.txt',
      '-o',
      '/home/me/r.html',
      '--kallsyms=./x/k',
      '--pfn',
      '1',
    ];
    expect(repeatable({command, inputs: [input]}).join(' ')).toBe(
      'pinscope analyze trace.txt -o r.html --kallsyms=k --pfn 1',
    );
  });
});

describe('stacks', () => {
  it('drops what all stacks share at the outer end but one frame, and says how many', () => {
    const outer = ['pb_ioctl+0x10/0x20', '__x64_sys_ioctl', 'do_syscall_64'];
    const shown = trimmed([
      {role: 'pin', frames: ['trace_event_raw_event_x', '__page_ref_mod', 'try_grab_folio_fast', 'dopin', ...outer]},
      {role: 'unpin', frames: ['gup_put_folio', 'dounpin', 'pb_ioctl+0x44/0x20', ...outer.slice(1)]},
    ]);
    expect(shown).toEqual([
      {role: 'pin', frames: ['try_grab_folio_fast', 'dopin', 'pb_ioctl+0x10/0x20'], tracer: 2, common: 2},
      {role: 'unpin', frames: ['gup_put_folio', 'dounpin', 'pb_ioctl+0x44/0x20'], tracer: 0, common: 2},
    ]);
  });

  it('leaves a single stack whole', () => {
    expect(trimmed([{role: 'pin', frames: ['a', 'b']}])[0]).toEqual({
      role: 'pin',
      frames: ['a', 'b'],
      tracer: 0,
      common: 0,
    });
  });
});

describe('kallsyms', () => {
  const file = [
    'ffffffff81000000 T _stext',
    'ffffffff81a3c2e0 T try_grab_folio',
    'ffffffff81a3c400 d some_data',
    'ffffffff81a3c3f0 t gup_put_folio',
    'ffffffffc04010d0 t nvme_map_data\t[nvme]',
    'not a symbol',
    '',
  ].join('\n');

  it('names addresses inside functions, and leaves the rest', () => {
    const symbols = parseKallsyms(file);
    expect(symbols.size).toBe(4);
    expect(
      symbolised(
        [
          '0xffffffff81a3c2f0',
          'ffffffff81a3c410',
          '0xffffffffc04010d0',
          '0x12',
          'already+0x1',
          '0xffffffff80000000',
          '0xffffffffffffffff',
        ],
        symbols,
      ),
    ).toEqual([
      'try_grab_folio+0x10',
      'gup_put_folio+0x20',
      'nvme_map_data+0x0 [nvme]',
      '0x12',
      'already+0x1',
      '0xffffffff80000000',
      '0xffffffffffffffff',
    ]);
  });

  it('says why a file names nothing', () => {
    expect(() => parseKallsyms('0000000000000000 T _stext\n')).toThrow(/as root/);
    expect(() => parseKallsyms('hello\n')).toThrow(/address type symbol/);
  });
});
