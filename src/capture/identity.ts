/**
 * From a `struct page` pointer to a PFN: page = vmemmap_base + pfn * sizeof(struct page) (x86-64 and others with
 * SPARSEMEM_VMEMMAP, include/asm-generic/memory_model.h). The base is random with CONFIG_RANDOMIZE_MEMORY.
 *
 * In order of trust: `--vmemmap` or a `vmemmap=` probe argument; two events of one deed, one with the pointer and one with
 * the PFN; and, until one of these comes, the pointer with its low 30 bits cleared (the base is 1 GiB aligned on
 * x86-64, so this holds for machines with less than 64 GiB of memory), which is said in the report.
 */
export type BaseSource = 'option' | 'argument' | 'calibrated' | 'assumed' | 'none';

const STRUCT_PAGE = 64;
const GIB = 2 ** 30;

export class Identity {
  source: BaseSource = 'none';
  /** pairs of pointer and PFN that agreed with the base in use, and that did not */
  confirmed = 0;
  contradicted = 0;
  private hi = 0;
  private lo = 0;

  /** The base as hex text, or null. */
  base(): string | null {
    if (this.source === 'none') return null;
    return '0x' + ((BigInt(this.hi) << 32n) | BigInt(this.lo)).toString(16).padStart(16, '0');
  }

  setBase(hi: number, lo: number, source: BaseSource): void {
    this.hi = hi;
    this.lo = lo;
    this.source = source;
  }

  /** Takes over a base that a trial run over the same trace found, if it is better than what is known. */
  learnFrom(trial: Identity): void {
    if (trial.source === 'none' || this.source === 'option' || this.source === 'argument') return;
    this.setBase(trial.hi, trial.lo, trial.source);
  }

  /** A `vmemmap=` argument of a probe. */
  argument(hi: number, lo: number): void {
    if (this.source !== 'option') this.setBase(hi, lo, 'argument');
  }

  /** Pointer and PFN of one and the same page. */
  pair(hi: number, lo: number, pfn: number): void {
    const offset = pfn * STRUCT_PAGE;
    let baseLo = lo - (offset % 0x100000000);
    let baseHi = hi - Math.floor(offset / 0x100000000);
    if (baseLo < 0) {
      baseLo += 0x100000000;
      baseHi -= 1;
    }
    if (this.source !== 'none' && baseHi === this.hi && baseLo === this.lo) {
      this.confirmed++;
      if (this.source === 'assumed') this.source = 'calibrated';
      return;
    }
    this.contradicted++;
    // A true base is aligned; a pair of two different pages gives a crooked one.
    if (baseLo % GIB !== 0 || this.source === 'option' || this.source === 'argument' || this.source === 'calibrated')
      return;
    this.setBase(baseHi, baseLo, 'calibrated');
  }

  /** The PFN of a page pointer; -1 when it points to no struct page under this base. */
  pfn(hi: number, lo: number): number {
    if (this.source === 'none') this.setBase(hi, lo - (lo % GIB), 'assumed');
    const distance = (hi - this.hi) * 0x100000000 + (lo - this.lo);
    if (distance < 0 || distance % STRUCT_PAGE !== 0) return -1;
    const pfn = distance / STRUCT_PAGE;
    return pfn < 2 ** 40 ? pfn : -1;
  }
}
