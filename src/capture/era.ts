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

/** How the numbering is told where the user told the kernel: what the trace tells goes before it. */
const BY_USER = '--kernel';

export type Numbering = 'old' | 'new' | undefined;

export class Era {
  /** gup_put_folio() may be inlined into functions that unpin one page or folio, as compilers please: it is not where it was seen inside them. */
  inlinesUnpins = true;
  /** FOLL_* numbering: `old` up to 6.1, `new` from 6.5; undefined until something tells. */
  foll: Numbering;
  /** how it was told, in words */
  told = 'not known';
  /** flags of a grab refuted what the release says: vendors' kernels have the mm of later ones (RHEL's 5.14) */
  private backported = false;
  /** `mapcount=` prints the raw counter (-1 unmapped, from 6.12) instead of page_mapcount() (0 unmapped) */
  rawMapcount = false;
  /** CMA is known to be configured: migratetype 5 was seen */
  cmaKnown = false;

  /** the release that the user gave */
  given: string | undefined;
  /** the trace itself tells of another kernel than `given`: it is believed */
  refuted = false;

  /** From `--kernel 6.12`. */
  fromUser(release: string): void {
    this.fromRelease(release, BY_USER);
    this.given = release;
  }

  /** From a release such as `6.1.0-56-amd64`, which the trace has. */
  fromRelease(release: string, how: string): void {
    const version = versionOf(release);
    if (version === undefined) return;
    if (this.given !== undefined && versionOf(this.given) !== version) this.refuted = true;
    this.rawMapcount = version >= 6010;
    if (this.backported) return;
    this.foll = version >= 6003 ? 'new' : 'old';
    this.told = how;
  }

  /** From a probed function that exists only on one side of the change. */
  fromFunction(numbering: 'old' | 'new', name: string): void {
    if (this.foll === undefined || this.told === BY_USER) this.numbered(numbering, `probe on ${name}`);
  }

  /**
   * From a flags value that is legal under one numbering only. Under the old one 0x80000 is FOLL_FAST_ONLY, which grabs have
   * beside FOLL_GET or FOLL_PIN only (mm/gup.c: get_user_pages_fast_only()): alone it is the new FOLL_PIN, whatever the release is.
   */
  fromFlags(flags: number): void {
    const numbering = toldBy(flags);
    if (numbering === undefined) return;
    const how = `flags=0x${flags.toString(16)} of a grab`;
    if (this.foll === undefined || this.told === BY_USER) this.numbered(numbering, how);
    else if (this.foll === 'old' && numbering === 'new' && (flags & NEW.pin) !== 0) {
      this.backported = true;
      this.foll = numbering;
      this.told = how;
    }
  }

  /** What the trace's head told, over what the user or the release said. */
  learnFrom(head: Era): void {
    if (head.foll !== undefined && (this.foll === undefined || head.refuted || head.backported)) {
      this.foll = head.foll;
      this.told = head.told;
    }
    if (head.refuted) this.rawMapcount = head.rawMapcount;
    this.refuted ||= head.refuted;
    this.backported ||= head.backported;
    this.rawMapcount ||= head.rawMapcount;
  }

  private numbered(numbering: 'old' | 'new', how: string): void {
    if (this.foll === numbering) return;
    this.refuted = this.foll !== undefined;
    this.foll = numbering;
    this.told = how;
    // by the user's release, which it is not
    if (numbering === 'old') this.rawMapcount = false;
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
    const numbering = this.foll ?? toldBy(flags);
    if (numbering === undefined) return undefined;
    return numbering === 'new' ? NEW : OLD;
  }
}

/** 6012 of `6.12.117-gupl` */
function versionOf(release: string): number | undefined {
  const m = /^(\d+)\.(\d+)/.exec(release);
  return m ? Number(m[1]) * 1000 + Number(m[2]) : undefined;
}

/** FOLL_FORCE and FOLL_HWPOISON up to 6.2, one of which goes with FOLL_TOUCH where pages are looked up to fault them in. */
const OLD_FAULT_IN = 0x110;

/**
 * The numbering under which alone a value is legal. FOLL_GET of the new one is FOLL_TOUCH of the old one, where mlock(),
 * MAP_POPULATE and MADV_POPULATE look pages up with neither kind (mm/gup.c: populate_vma_page_range(), faultin_page_range()).
 */
function toldBy(flags: number): Numbering {
  const asNew = legal(flags, NEW);
  if (asNew === legal(flags, OLD)) return undefined;
  if (!asNew) return 'old';
  return (flags & NEW.pin) === 0 && (flags & OLD_FAULT_IN) !== 0 ? undefined : 'new';
}

function legal(flags: number, foll: Foll): boolean {
  return ((flags & foll.pin) !== 0) !== ((flags & foll.get) !== 0);
}
