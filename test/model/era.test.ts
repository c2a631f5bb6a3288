import {describe, expect, it} from 'vitest';
import {Era} from '../../src/capture/era.js';

describe('Era', () => {
  it.each([
    ['5.4.18', 'old', false],
    ['6.1.0-56-amd64', 'old', false],
    ['6.2.16', 'old', false],
    ['6.5.13', 'new', false],
    ['6.12.117+deb12-amd64', 'new', true],
    ['7.2', 'new', true],
    ['10.1', 'new', true],
  ])('%s has the %s FOLL_* numbers', (release, foll, raw) => {
    const era = new Era();
    era.fromRelease(release, 'a test');
    expect([era.foll, era.rawMapcount, era.told]).toEqual([foll, raw, 'a test']);
  });

  it('learns nothing from a release that is none', () => {
    const era = new Era();
    era.fromRelease('next-20240101', 'a test');
    expect(era.foll).toBeUndefined();
  });

  it.each([
    // FOLL_PIN | FOLL_WRITE of 6.1 and of 6.12
    [0x40001, 'old', 'pin'],
    [0x80001, 'new', 'pin'],
    // FOLL_GET | FOLL_WRITE
    [0x5, 'old', 'get'],
    [0x3, 'new', 'get'],
    // FOLL_GET | FOLL_REMOTE | FOLL_UNLOCKABLE | FOLL_WRITE of 6.12, as captured
    [0x50003, undefined, undefined],
  ] as const)('takes 0x%s for %s numbers and a %s', (flags, foll, kind) => {
    const era = new Era();
    era.fromFlags(flags);
    expect(era.foll).toBe(foll);
    expect(era.kindOf(flags)).toBe(kind);
  });

  it('takes ambiguous flags for what they are once the numbers are known', () => {
    const era = new Era();
    expect(era.kindOf(0x50003)).toBeUndefined();
    era.fromFlags(0x80001);
    expect(era.kindOf(0x50003)).toBe('get');
    expect(era.isRemote(0x50003)).toBe(true);
    expect(era.isLongterm(0x80101)).toBe(true);
    expect(era.isLongterm(0x80001)).toBe(false);
  });

  it('is not changed by a later value: what came first stays', () => {
    const era = new Era();
    era.fromRelease('6.1', '--kernel');
    era.fromFlags(0x80001);
    era.fromFunction('new', 'try_grab_folio_fast');
    expect([era.foll, era.told]).toEqual(['old', '--kernel']);
  });

  it('is of neither kind without a kind, and knows no long-term without numbers', () => {
    const era = new Era();
    expect(era.kindOf(0x1)).toBeUndefined();
    expect(era.isLongterm(0x1)).toBeUndefined();
    expect(era.isWrite(0x1)).toBe(true);
    expect(era.isWrite(0x80000)).toBe(false);
  });
});
