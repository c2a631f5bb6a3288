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
    // FOLL_TOUCH | FOLL_FORCE of mlock() on 6.1, as captured, and FOLL_TOUCH | FOLL_HWPOISON of MADV_POPULATE_READ
    [0x12, undefined, undefined],
    [0x102, undefined, undefined],
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
    era.fromRelease('6.1', 'the trace header');
    era.fromFlags(0x3);
    era.fromFlags(0xc0001);
    era.fromFunction('new', 'try_grab_folio_fast');
    expect([era.foll, era.told, era.refuted]).toEqual(['old', 'the trace header', false]);
  });

  it('believes the trace before what the user says of it', () => {
    const flags = new Era();
    flags.fromUser('6.12');
    expect([flags.foll, flags.rawMapcount, flags.told]).toEqual(['new', true, '--kernel']);
    flags.fromFlags(0x80001);
    expect([flags.told, flags.refuted]).toEqual(['--kernel', false]);
    flags.fromFlags(0x40001);
    expect([flags.foll, flags.rawMapcount, flags.refuted]).toEqual(['old', false, true]);
    expect(flags.told).toBe('flags=0x40001 of a grab');
    const header = new Era();
    header.fromUser('5.4');
    header.fromRelease('6.12.117-gupl', 'the trace header');
    expect([header.foll, header.rawMapcount, header.refuted]).toEqual(['new', true, true]);
    const same = new Era();
    same.fromUser('6.12');
    same.fromRelease('6.12.117-gupl', 'the trace header');
    expect([same.foll, same.told, same.refuted]).toEqual(['new', 'the trace header', false]);
  });

  it('takes over what the head of the trace tells', () => {
    const [era, head] = [new Era(), new Era()];
    era.fromUser('6.12');
    head.fromUser('6.12');
    head.fromFlags(0x40001);
    era.learnFrom(head);
    expect([era.foll, era.rawMapcount, era.refuted, era.told]).toEqual(['old', false, true, 'flags=0x40001 of a grab']);
  });

  it('is what a flag says that the other numbering never has alone: the mm of RHEL 9 is newer than its release', () => {
    const era = new Era();
    era.fromRelease('5.14.0-503.11.1.el9_5', 'the trace header');
    era.fromFlags(0x80101);
    era.fromRelease('5.14.0-503.11.1.el9_5', 'the trace header');
    expect([era.foll, era.told]).toEqual(['new', 'flags=0x80101 of a grab']);
    const other = new Era();
    other.fromRelease('5.14.0-503.11.1.el9_5', 'the trace header');
    other.learnFrom(era);
    expect(other.isLongterm(0x80101)).toBe(true);
  });

  it('is of neither kind without a kind, and knows no long-term without numbers', () => {
    const era = new Era();
    expect(era.kindOf(0x1)).toBeUndefined();
    expect(era.isLongterm(0x1)).toBeUndefined();
    expect(era.isWrite(0x1)).toBe(true);
    expect(era.isWrite(0x80000)).toBe(false);
  });
});
