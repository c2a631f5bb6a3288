/**
 * What must be recorded for each rule: the recorder's side of the rules' `needs`. Events come in groups, since a rule
 * that needs one event of a group can judge nothing without the others.
 */

/** Groups of events and probes that are switched together. */
export const GROUPS = [
  /** try_grab_*, pin_user_pages*: who takes which pin */
  'take',
  /** gup_put_folio, unpin_*: who drops it */
  'drop',
  /** get_user_pages*: plain references */
  'get',
  /** page_ref:*: every change of every reference count, plain puts too (CONFIG_DEBUG_PAGE_REF) */
  'refs',
  /** DMA mappings made and removed */
  'dma',
  /** IOMMU mappings: what VFIO makes, and NVMe behind an IOMMU from 7.3 on */
  'iommu',
  /** requests of block devices: their completion ends DMA where nothing is unmapped */
  'requests',
  /** start and end of writeback, cleaning before it */
  'writeback',
  /** pages marked dirty */
  'dirty',
  /** pages allocated and freed */
  'life',
  /** which file a page belongs to */
  'file',
  /** ends of owners: io_uring's registered buffers */
  'owner',
] as const;
export type Group = (typeof GROUPS)[number];

export interface RuleNeeds {
  /** without these the rule cannot run */
  needs: readonly Group[];
  /** with these it judges more, or more surely */
  helps: readonly Group[];
}

/** By rule id (contract). A test holds it against the registry of rules. */
export const RULE_NEEDS: Readonly<Record<string, RuleNeeds>> = {
  'unpin-while-dma': {
    needs: ['take', 'drop', 'dma'],
    helps: ['refs', 'get', 'life', 'writeback', 'file', 'iommu', 'requests'],
  },
  'free-while-dma': {
    needs: ['take', 'drop', 'dma', 'life'],
    helps: ['refs', 'get', 'writeback', 'file', 'iommu', 'requests'],
  },
  'put-while-dma': {needs: ['get', 'dma', 'refs'], helps: ['take', 'drop', 'life', 'writeback', 'file', 'requests']},
  'writeback-while-pinned': {
    needs: ['take', 'drop', 'writeback'],
    helps: ['refs', 'dma', 'dirty', 'life', 'file', 'requests'],
  },
  'writeback-while-dma': {needs: ['get', 'dma', 'writeback'], helps: ['refs', 'dirty', 'life', 'file', 'requests']},
  'dirty-after-writeback': {
    needs: ['take', 'drop', 'writeback', 'dirty'],
    helps: ['refs', 'dma', 'life', 'file'],
  },
  'dirty-after-unpin': {needs: ['take', 'drop', 'dirty'], helps: ['refs', 'dma', 'writeback', 'life', 'file']},
  'put-on-pin': {needs: ['take', 'drop', 'refs'], helps: ['life']},
  'unpin-without-pin': {needs: ['take', 'drop', 'life'], helps: ['refs', 'get']},
  'pin-leak': {needs: ['take', 'drop', 'life'], helps: ['refs', 'owner']},
  'get-leak': {needs: ['get', 'life', 'refs'], helps: ['take', 'drop', 'owner']},
  'free-while-pinned': {needs: ['take', 'drop', 'life'], helps: ['refs']},
  'dma-without-pin': {needs: ['get', 'take', 'dma'], helps: ['refs', 'drop', 'life', 'file']},
  'longterm-pin-in-cma': {needs: ['take', 'refs'], helps: ['drop', 'life']},
  'dma-after-unmap': {needs: ['dma', 'iommu'], helps: ['take', 'drop', 'refs', 'life']},
  'long-pin': {needs: ['take', 'drop'], helps: ['refs', 'life', 'owner']},
};

/** Every rule that recording knows about, in the contract's order. */
export const RULE_IDS: readonly string[] = Object.keys(RULE_NEEDS);

/** The groups to record for these rules, in the order of GROUPS. */
export function groupsFor(rules: readonly string[]): Group[] {
  const wanted = new Set<Group>();
  for (const rule of rules) {
    const entry = RULE_NEEDS[rule];
    if (entry === undefined) continue;
    for (const group of [...entry.needs, ...entry.helps]) wanted.add(group);
  }
  return GROUPS.filter((group) => wanted.has(group));
}
