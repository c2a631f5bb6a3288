/**
 * From a `struct page` pointer to a PFN: page = base + pfn * sizeof(struct page) (CONFIG_SPARSEMEM_VMEMMAP,
 * include/asm-generic/memory_model.h). On x86-64 the base is vmemmap_base, random with CONFIG_RANDOMIZE_MEMORY in steps of
 * 1 GiB; on arm64 it is VMEMMAP_START - (memstart_addr >> PAGE_SHIFT) * 64, which RAM that begins at 0x40000000 moves by
 * 16 MiB (4 KiB pages), 4 MiB (16 KiB) or 1 MiB (64 KiB): nothing may be asked of its alignment there.
 *
 * A base is a fact with a grade, and only a proven one decides anything (docs/decisions/0012-identity-is-proven.md).
 */
import {PFN_LIMIT} from '../events/believable.js';
export type Grade =
  /** `--vmemmap`, a header's `vmemmap_base`, a `vmemmap=` probe argument */
  | 'told'
  /** `page=` and `pfn=` of one kmem line of a kernel that does not hash pointers */
  | 'printed'
  /**
   * pairs of a pointer and a PFN that two events of one deed name: of three different pages, or of one where the base is a multiple
   * of 1 GiB; or what a pin and the mapping after it name, of three pages, where only x86-64 has such a base
   */
  | 'paired'
  /**
   * the first pointer with its low 30 bits cleared, as on x86-64 with less than 64 GiB; or a base that the pages of three pins agree
   * on with the addresses that were mapped next. It groups events, and proves nothing
   */
  | 'assumed'
  | 'none';

/** Who told it, for `info`. */
export type Teller = 'option' | 'argument' | 'header' | 'events';

const STRUCT_PAGE = 64;
const GIB = 2 ** 30;
/** Different pages that have to agree on a base. */
const PAIRS = 3;
/** Different pages that refute a base together, without agreeing on another, where none fits it. */
const REFUTE = 8;
/** Where RAM begins at whole 512 MiB, in pages of 64 KiB, 16 KiB or 4 KiB, moves a base by multiples of this (arch/arm64/mm/init.c). */
const SMALLEST_STEP = 2 ** 19;
/** Bases that are voted on at a time: wrong pairs must not push out the right ones. */
const CANDIDATES_MAX = 16;

interface Candidate {
  hi: number;
  lo: number;
  pages: number[];
}

export class Identity {
  grade: Grade = 'none';
  teller: Teller = 'events';
  /** pairs of pointer and PFN that agreed with the base in use, and that did not */
  confirmed = 0;
  contradicted = 0;
  /** pointers asked for while no base was proven */
  unproven = 0;
  /** a base was found after pointers had been read under another one, or under none: what was before proves nothing */
  late = false;
  /**
   * Two bases are each agreed on by many pages, or no two pages agree: traces of two boots, struct pages of another size
   * (KMSAN's are of 80 bytes, those without memory cgroups may be of 56), or none in one array (no CONFIG_SPARSEMEM_VMEMMAP).
   */
  conflict = false;
  /** the base that was told and that the trace's own pairs refuted, as hex text */
  refuted: string | undefined;
  /** on arm64 no base may be assumed: that of x86-64 would make other real pages of its pointers */
  mayAssume = true;
  /** a base that is assumed is no guess: pages that were pinned and the addresses that were mapped next agree on it */
  likely = false;
  /** told when a base is found late */
  onLate: (() => void) | undefined;
  private hi = 0;
  private lo = 0;
  private readonly candidates: Candidate[] = [];
  /** bases under which addresses that were mapped are of pages that were pinned just before */
  private readonly mapped: Candidate[] = [];
  /** pages whose pairs do not fit the base in use, while none does */
  private readonly against: number[] = [];

  /** Whether a PFN that a pointer was turned into is that page for certain. */
  get proven(): boolean {
    return !this.conflict && this.grade !== 'assumed' && this.grade !== 'none';
  }

  /** The base as hex text, or null. */
  base(): string | null {
    return this.grade === 'none' ? null : hexOf(this.hi, this.lo);
  }

  /** Whether the base is one that only x86-64 has. */
  get isX86(): boolean {
    return this.proven && isOfX86(this.hi, this.lo);
  }

  /** What the user or the trace says. The user outranks the trace, a header its events. */
  told(hi: number, lo: number, teller: Teller): void {
    if (this.grade === 'told') {
      if (this.hi === hi && this.lo === lo) return;
      if (this.teller === 'option' && teller !== 'option') return;
      // two boots in one input, or in two that are read together
      if (this.teller !== 'option') this.conflict = true;
    }
    // refuted by the trace's own pairs: what a later line tells again is no better
    if (this.refuted !== undefined && this.refuted === hexOf(hi, lo)) return;
    if (this.proven && this.confirmed > 0 && (this.hi !== hi || this.lo !== lo)) this.conflict = true;
    this.adopt(hi, lo, 'told', teller);
  }

  /** Takes over a base that a run over the same trace, or its head, found. */
  learnFrom(other: Identity): void {
    this.mayAssume &&= other.mayAssume;
    this.refuted ??= other.refuted;
    this.conflict ||= other.conflict;
    if (!other.proven && (!other.likely || this.grade !== 'none')) return;
    if (this.proven && this.grade === 'told') return;
    this.grade = other.grade;
    this.likely = other.likely;
    this.teller = other.teller;
    this.hi = other.hi;
    this.lo = other.lo;
    this.candidates.length = 0;
  }

  /**
   * Pointer and PFN of one and the same page. `printed`: in one line of the kernel's own text; `deed`: by two events that
   * are likely of one deed; `mapped`: the PFN is made of the address that the page's holder mapped next, which counts only
   * for bases that a wrong pair hardly ever gives.
   */
  pair(hi: number, lo: number, pfn: number, how: 'printed' | 'deed' | 'mapped' = 'deed'): void {
    const printed = how === 'printed';
    const [baseHi, baseLo] = baseOf(hi, lo, pfn);
    const same = this.grade !== 'none' && baseHi === this.hi && baseLo === this.lo;
    const aligned = baseLo % GIB === 0;
    if (how === 'mapped' && (this.proven || !aligned)) return;
    if (same && this.proven) {
      this.confirmed++;
      if (this.candidates.length > 0) this.candidates.length = 0;
      if (this.against.length > 0) this.against.length = 0;
      return;
    }
    if (same) this.confirmed++;
    else this.contradicted++;
    if (!same && this.grade !== 'none' && this.confirmed === 0) this.refute(pfn);
    if (baseLo % STRUCT_PAGE !== 0 || baseHi < 0x80000000) return;
    const pages = vote(this.candidates, baseHi, baseLo, pfn);
    const enough = printed || (how === 'deed' && !this.proven && aligned) || pages >= PAIRS;
    if (!enough) return;
    if (this.proven) {
      // what a kernel prints in one line is no coincidence
      if (this.confirmed > 0 || (printed && this.grade === 'printed')) this.conflict = true;
      else this.refuted = hexOf(this.hi, this.lo);
    }
    this.adopt(baseHi, baseLo, printed ? 'printed' : 'paired', 'events');
  }

  /** The PFN of a page pointer; -1 when it points to no struct page under this base, or no base is known. */
  pfn(hi: number, lo: number): number {
    if (this.grade === 'assumed' || this.grade === 'none') {
      this.unproven++;
      if (this.grade === 'none') {
        const first = lo - (lo % GIB);
        if (!this.mayAssume || !isOfX86(hi, first)) return -1;
        this.hi = hi;
        this.lo = first;
        this.grade = 'assumed';
      }
    }
    const distance = (hi - this.hi) * 0x100000000 + (lo - this.lo);
    const pfn = distance / STRUCT_PAGE;
    return pfn >= 0 && pfn < PFN_LIMIT && pfn === Math.floor(pfn) ? pfn : -1;
  }

  /**
   * A pointer of a page that a task pinned not long ago, and a PFN that is mapped then: of one page, or of two. Two pages hardly
   * ever make a base that can be one, and what three agree on is likely; one that only x86-64 has they make only if they are
   * 64 GiB apart, or a multiple of it, and then what three agree on is proven.
   */
  suppose(hi: number, lo: number, pfn: number): void {
    if (this.proven || this.likely) return;
    const [baseHi, baseLo] = baseOf(hi, lo, pfn);
    if (baseLo % SMALLEST_STEP !== 0 || baseHi < 0x80000000) return;
    if (vote(this.mapped, baseHi, baseLo, pfn) < PAIRS) return;
    const isSure = isOfX86(baseHi, baseLo);
    this.adopt(baseHi, baseLo, isSure ? 'paired' : 'assumed', 'events');
    this.likely = !isSure;
  }

  private adopt(hi: number, lo: number, grade: Grade, teller: Teller): void {
    const same = this.hi === hi && this.lo === lo && this.grade !== 'none';
    // What was read under another base, or under none, names other pages, or no pages at all.
    if (!same && (this.unproven > 0 || this.proven)) {
      this.late = true;
      this.onLate?.();
    }
    this.hi = hi;
    this.lo = lo;
    this.grade = grade;
    this.teller = teller;
    this.likely = false;
    this.confirmed = same ? this.confirmed : 0;
    this.candidates.length = 0;
    this.against.length = 0;
  }

  /** Another pair that does not fit, where none does: when many pages say so the base names no pages, whatever it is. */
  private refute(pfn: number): void {
    const {against} = this;
    if (!against.includes(pfn)) against.push(pfn);
    if (this.proven) {
      if (against.length >= REFUTE) this.conflict = true;
    } else if (against.length >= PAIRS) {
      // an assumption that does not hold here: no other one would be better
      this.grade = 'none';
      this.mayAssume = this.likely = false;
      against.length = 0;
    }
  }
}

/**
 * Whether a base is one of x86-64: between the direct mapping and the CPU entry area, in steps of 1 GiB
 * (Documentation/arch/x86/x86_64/mm.rst). arm64 has its own there with 52 bits of address only, and with RAM that begins
 * at 0 or whole 256 GiB (16 KiB pages) or TiB (64 KiB): those places are left out, of kernels up to 6.8 and of later ones
 * (VMEMMAP_START in arch/arm64/include/asm/memory.h).
 */
function isOfX86(hi: number, lo: number): boolean {
  if (lo % GIB !== 0) return false;
  const below = (end: number): boolean => hi >= end - 16 && hi <= end && (hi < end || lo === 0);
  if (hi >= 0xff110000 && hi < 0xffff0000) return true; // five levels of page tables
  if (hi < 0xffffc900 || hi >= 0xfffffdff) return false;
  return !below(0xfffffc00) && !below(0xfffff000) && !below(0xfffffc20) && !below(0xfffff040);
}

/** Where struct pages begin, as two halves, if that of a PFN is where a pointer points to. */
function baseOf(hi: number, lo: number, pfn: number): [hi: number, lo: number] {
  const offset = pfn * STRUCT_PAGE;
  const offsetHi = Math.floor(offset / 0x100000000);
  const baseLo = lo - (offset - offsetHi * 0x100000000);
  return baseLo < 0 ? [hi - offsetHi - 1, baseLo + 0x100000000] : [hi - offsetHi, baseLo];
}

/** How many different pages agree on a base, this one included, since the candidates were last given up. */
function vote(candidates: Candidate[], hi: number, lo: number, pfn: number): number {
  let candidate = candidates.find((c) => c.hi === hi && c.lo === lo);
  if (!candidate) {
    candidate = {hi, lo, pages: []};
    if (candidates.length >= CANDIDATES_MAX) {
      const fewest = Math.min(...candidates.map((c) => c.pages.length));
      candidates.splice(
        candidates.findIndex((c) => c.pages.length === fewest),
        1,
      );
    }
    candidates.push(candidate);
  }
  if (!candidate.pages.includes(pfn) && candidate.pages.length < PAIRS) candidate.pages.push(pfn);
  return candidate.pages.length;
}

function hexOf(hi: number, lo: number): string {
  return '0x' + ((BigInt(hi) << 32n) | BigInt(lo)).toString(16).padStart(16, '0');
}
