import {describe, expect, it} from 'vitest';
import type {Range} from '../../src/base/selection.js';
import * as values from '../../src/cli/values.js';
import {UserError} from '../../src/io/user-error.js';

/** The one line a wrong value gives. */
function complaint(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof UserError) return error.line;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('ranges', () => {
  const parse = (text: string): Range[] => values.parseRanges('pfn', text, '0x2fb0');

  it('are lists of numbers and ranges, hex or decimal', () => {
    expect(parse('0x2fb0')).toEqual([{first: 0x2fb0, last: 0x2fb0}]);
    expect(parse('3, 7-9,0x10-0x1F')).toEqual([
      {first: 3, last: 3},
      {first: 7, last: 9},
      {first: 16, last: 31},
    ]);
  });

  it('may be as large as a physical address allows', () => {
    expect(parse('0xffffffffff')).toEqual([{first: 0xffffffffff, last: 0xffffffffff}]);
    expect(complaint(() => parse('0xfffffffffffffff'))).toContain('is not a number');
  });

  it.each([
    ['2fb0', 'looks hexadecimal but lacks 0x'],
    ['x', 'is not a number'],
    ['-3', 'is not a number'],
    ['1.5', 'is not a number'],
    ['9-7', 'ends before it begins'],
    ['1,,2', 'an element of the list is empty'],
    ['', 'an element of the list is empty'],
  ])('are told what is wrong: %s', (text, why) => {
    expect(complaint(() => parse(text))).toBe(
      `--pfn ${JSON.stringify(text)}: ${expectWhy(text, why)}; write it like 0x2fb0`,
    );
  });

  /** Some complaints name the element first. */
  function expectWhy(text: string, why: string): string {
    if (why.startsWith('an element')) return why;
    return why.startsWith('ends') ? `the range ${text} ${why}` : `${text} ${why}`;
  }
});

describe('durations', () => {
  it('are ns', () => {
    expect(values.parseDuration('long-pin', '1s')).toBe(1_000_000_000);
    expect(values.parseDuration('long-pin', '500ms')).toBe(500_000_000);
    expect(values.parseDuration('long-pin', '1.5us')).toBe(1500);
    expect(values.parseDuration('long-pin', '2min')).toBe(120_000_000_000);
    expect(values.parseDuration('long-pin', '0ns')).toBe(0);
  });

  it('need a unit that is known', () => {
    expect(complaint(() => values.parseDuration('long-pin', '5'))).toContain('the unit is missing');
    expect(complaint(() => values.parseDuration('long-pin', '5 parsecs'))).toContain('not a duration');
    expect(complaint(() => values.parseDuration('long-pin', '5d'))).toContain('unknown unit d');
    expect(complaint(() => values.parseDuration('long-pin', '999999999999h'))).toContain('longer than any trace');
  });
});

describe('times', () => {
  it('are exact to the ns, whatever the uptime', () => {
    expect(values.parseTimeSpan('time', '12.345678,13')).toEqual({
      from: {ns: 12_345_678_000n, ticks: null},
      to: {ns: 13_000_000_000n, ticks: 13n},
    });
    expect(values.parseTimeSpan('time', '9007199.254740993,').from?.ns).toBe(9_007_199_254_740_993n);
    expect(values.parseTimeSpan('time', ',17235455974123456789').to?.ticks).toBe(17_235_455_974_123_456_789n);
  });

  it('may be open at one end, and be copied with their colon', () => {
    expect(values.parseTimeSpan('time', ',12.5:')).toEqual({from: null, to: {ns: 12_500_000_000n, ticks: null}});
  });

  it.each(['1', '1,2,3', ',', 'a,b', '2,1', '1.1234567891,2'])('are told what is wrong: %s', (text) => {
    expect(complaint(() => values.parseTimeSpan('time', text))).toMatch(/^--time .*; write it like 12\.345678,12\.5/);
  });
});

describe('inodes', () => {
  it('may name their device, and be hex as traces print them', () => {
    expect(values.parseInodes('inode', '1234,254:1/0x2a')).toEqual([
      {devId: null, ino: 1234},
      {devId: 254 * 2 ** 20 + 1, ino: 42},
    ]);
    expect(complaint(() => values.parseInodes('inode', '254/1'))).toContain('254/1 is not an inode');
  });
});

describe('kernel and address', () => {
  it('take what people paste', () => {
    expect(values.parseKernel('kernel', '6.1.0-31-amd64')).toMatchObject({major: 6, minor: 1});
    expect(values.parseKernel('kernel', 'v6.12')).toMatchObject({major: 6, minor: 12});
    expect(values.parseAddress('vmemmap', 'ffffea00_00000000')).toBe(0xffffea0000000000n);
    expect(complaint(() => values.parseKernel('kernel', '6'))).toContain('not a kernel version');
    expect(complaint(() => values.parseAddress('vmemmap', '0xzz'))).toContain('not an address');
  });
});

describe('words', () => {
  it('are guessed when they are near', () => {
    const forms = ['table', 'mail', 'json', 'perf-script'];
    expect(values.parseWord('to', 'mail', forms)).toBe('mail');
    expect(complaint(() => values.parseWord('to', 'jsno', forms))).toBe(
      '--to "jsno" is not known; did you mean json? (one of: table, mail, json, perf-script)',
    );
    expect(complaint(() => values.parseWord('to', 'jso', forms))).toContain('did you mean json?');
    expect(complaint(() => values.parseWord('to', 'perf', forms))).toContain('did you mean perf-script?');
    expect(complaint(() => values.parseWord('to', 'x'.repeat(100000), forms))).not.toContain('did you mean');
  });
});
