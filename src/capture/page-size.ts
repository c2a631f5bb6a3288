/**
 * The size of a page, as log2: what turns physical addresses and file offsets into pages. 12 on x86-64, 12, 14 or 16 on
 * arm64 (CONFIG_ARM64_4K_PAGES and kin), 16 on most ppc64, 14 on loongarch64. A fact with a source, as the release is.
 */
export type PageSizeSource =
  /** `--page-shift` */
  | 'option'
  /** an architecture that has one size only: what a trace.dat calls its page size may be that of a sub-buffer */
  | 'machine'
  /** `page_size=` of the recorder's header, or a recording's own */
  | 'header'
  /** `-16k`, `-64k` in the release */
  | 'release'
  /** struct pages begin where only x86-64 has them */
  | 'base'
  /** an offset in a file (`ofs=` is index << PAGE_SHIFT) that is no multiple of a larger page */
  | 'offsets'
  /** which size makes pinned pages out of the addresses that were mapped for them */
  | 'mappings'
  /** 12, because most kernels have it: proves nothing */
  | 'assumed';

const RANK: Record<PageSizeSource, number> = {
  machine: 6,
  header: 5,
  release: 4,
  offsets: 3,
  base: 3,
  mappings: 2,
  option: 1,
  assumed: 0,
};
/** Sizes that kernels are built with (Kconfig of each architecture): 4, 8, 16, 64 and 256 KiB. */
export const SHIFTS = [12, 13, 14, 16, 18] as const;
/** Different pages that have to agree on a size other than the usual one. */
const AGREE = 3;

export class PageSize {
  shift = 12;
  source: PageSizeSource = 'assumed';
  /** bytes that --page-shift said, where the trace shows others */
  refuted: number | undefined;
  /** two sources of the trace disagree, in words */
  conflict: string | undefined;
  /** it was found after addresses had been read under another one: what was before proves nothing */
  late = false;
  /** told when it is found late */
  onLate: (() => void) | undefined;
  /** set once an address was turned into a page */
  used = false;
  private readonly votes = new Map<number, Set<number>>();

  get known(): boolean {
    return this.source !== 'assumed' && this.conflict === undefined;
  }

  /** The trace itself shows it: what the user says of it counts less. */
  get shown(): boolean {
    return RANK[this.source] > RANK.option;
  }

  /** A page's bytes. */
  get bytes(): number {
    return 2 ** this.shift;
  }

  told(shift: number, source: PageSizeSource): void {
    const better = RANK[source] - RANK[this.source];
    if (shift === this.shift) {
      if (better > 0) this.source = source;
      return;
    }
    if (better < 0) return;
    if (this.source === 'option' && better > 0) this.refuted = this.bytes;
    if (better === 0 && source !== 'option') this.conflict = `${2 ** this.shift} and ${2 ** shift} bytes`;
    if (this.used) {
      this.late = true;
      this.onLate?.();
    }
    this.shift = shift;
    this.source = source;
  }

  learnFrom(other: PageSize): void {
    if (other.source !== 'assumed') this.told(other.shift, other.source);
    this.conflict ??= other.conflict;
    this.refuted ??= other.refuted;
  }

  /** `page_size=` in bytes. */
  fromBytes(text: string): void {
    const shift = Math.log2(Number(text));
    if (Number.isInteger(shift) && shift >= 12 && shift <= 18) this.told(shift, 'header');
  }

  /**
   * `6.12.117+deb13-arm64-16k` (Debian), `6.8.0-31-generic-64k` (Ubuntu), `5.14.0-427.el9.aarch64+64k` (RHEL). x86-64 has
   * 4 KiB only, as have riscv64 and s390x (Debian's `-amd64`; Fedora's and SUSE's own names do not tell the machine at all).
   */
  fromRelease(release: string): void {
    const m = /[-+_.](4|16|64)k(?:[-+_.]|$)/i.exec(release);
    if (m) this.told({4: 12, 16: 14, 64: 16}[m[1] as '4' | '16' | '64'], 'release');
    else if (/amd64|x86[-_]64|riscv64|s390x/.test(release)) this.told(12, 'machine');
  }

  /** `uname -m`. */
  fromMachine(machine: string): void {
    if (/^(?:x86_64|amd64|i686|s390x|riscv64)$/.test(machine)) this.told(12, 'machine');
  }

  /** `ofs=` of a filemap event, in bytes. An odd number of 4 KiB pages; 8 KiB pages are no kernel's of today that traces. */
  fromOffset(offset: number): void {
    if (offset % 8192 === 4096) this.told(12, 'offsets');
  }

  /** A page was pinned, and the address mapped for it makes that page under this size. */
  fits(shift: number, pfn: number): void {
    if (RANK[this.source] >= RANK.mappings) return;
    let pages = this.votes.get(shift);
    if (!pages) this.votes.set(shift, (pages = new Set()));
    pages.add(pfn);
    // The usual size is believed where one pair agrees and none is against it, nor the user.
    const others = [...this.votes].some(([other, of]) => other !== shift && of.size >= pages.size);
    const usual = shift === 12 && this.votes.size === 1 && this.source !== 'option';
    if (!others && (pages.size >= AGREE || usual)) this.told(shift, 'mappings');
  }
}
