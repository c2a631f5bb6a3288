/**
 * What a number means on the kernel at hand.
 *
 * FOLL_* values were renumbered between 6.1 and 6.5 (include/linux/mm_types.h): 0x40000 is FOLL_PIN on 6.1 and
 * FOLL_REMOTE on 6.12, 0x2 is FOLL_TOUCH on 6.1 and FOLL_GET on 6.12. A pin and a get exclude each other
 * (mm/gup.c warns on both), so most values are legal under one numbering only and tell which it is.
 */
import type {ReferenceKind} from '../base/reference.js';

interface Foll {
  get: number;
  pin: number;
  longterm: number;
  remote: number;
}

const WRITE = 0x1;
const OLD: Foll = {get: 0x4, pin: 0x40000, longterm: 0x10000, remote: 0x2000};
const NEW: Foll = {get: 0x2, pin: 0x80000, longterm: 0x100, remote: 0x40000};

export type Numbering = 'old' | 'new' | undefined;

export class Era {
  /** gup_put_folio() may be inlined into functions that unpin one page or folio, as compilers please: it is not where it was seen inside them. */
  inlinesUnpins = true;
  /** FOLL_* numbering: `old` up to 6.1, `new` from 6.5; undefined until something tells. */
  foll: Numbering;
  /** how it was told, in words */
  told = 'not known';
  /** `mapcount=` prints the raw counter (-1 unmapped, from 6.12) instead of page_mapcount() (0 unmapped) */
  rawMapcount = false;
  /** CMA is known to be configured: migratetype 5 was seen */
  cmaKnown = false;

  /** From a release such as `6.1.0-56-amd64` or `--kernel 6.12`. */
  fromRelease(release: string, how: string): void {
    const m = /^(\d+)\.(\d+)/.exec(release);
    if (!m) return;
    const version = Number(m[1]) * 1000 + Number(m[2]);
    this.foll = version >= 6003 ? 'new' : 'old';
    this.rawMapcount = version >= 6010;
    this.told = how;
  }

  /** From a probed function that exists only on one side of the change. */
  fromFunction(numbering: 'old' | 'new', name: string): void {
    if (this.foll !== undefined) return;
    this.foll = numbering;
    this.told = `probe on ${name}`;
  }

  /** From a flags value that is legal under one numbering only. */
  fromFlags(flags: number): void {
    if (this.foll !== undefined) return;
    const asNew = legal(flags, NEW);
    const asOld = legal(flags, OLD);
    if (asNew === asOld) return;
    this.foll = asNew ? 'new' : 'old';
    this.told = `flags=0x${flags.toString(16)} of a grab`;
  }

  /** pin, get, or neither (undefined: not known, or flags of something else). */
  kindOf(flags: number): ReferenceKind | undefined {
    const foll = this.numbering(flags);
    if (!foll) return undefined;
    if (flags & foll.pin) return 'pin';
    if (flags & foll.get) return 'get';
    return undefined;
  }

  /** Known to take nothing: to fault pages in (MAP_POPULATE, mlock) they are looked up with neither (mm/gup.c: try_grab_folio()). */
  isNeither(flags: number): boolean {
    const foll = this.numbering(flags);
    return foll !== undefined && (flags & (foll.pin | foll.get)) === 0;
  }

  isWrite(flags: number): boolean {
    return (flags & WRITE) !== 0;
  }

  /** undefined where the numbering is not known */
  isLongterm(flags: number): boolean | undefined {
    const foll = this.numbering(flags);
    return foll ? (flags & foll.longterm) !== 0 : undefined;
  }

  /** FOLL_REMOTE: pages of another task's memory (exec arguments, ptrace), never I/O buffers of the caller */
  isRemote(flags: number): boolean {
    const foll = this.numbering(flags);
    return foll !== undefined && (flags & foll.remote) !== 0;
  }

  private numbering(flags: number): Foll | undefined {
    if (this.foll === 'new') return NEW;
    if (this.foll === 'old') return OLD;
    if (legal(flags, NEW) !== legal(flags, OLD)) return legal(flags, NEW) ? NEW : OLD;
    return undefined;
  }
}

function legal(flags: number, foll: Foll): boolean {
  return ((flags & foll.pin) !== 0) !== ((flags & foll.get) !== 0);
}
