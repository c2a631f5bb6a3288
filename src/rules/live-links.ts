/** What the rules about DMA share: the live windows under a page. */
import type {DmaLink, Overlap} from '../ledger/tables/dma.js';
import type {Reference} from '../ledger/tables/references.js';
import type {Ledger} from '../ledger/ledger.js';

/** Live windows on pages [first, first + n) that were opened for the page that lives there now. */
export function liveLinks(m: Ledger, first: number, n: number): readonly LiveLink[] {
  // Nearly every drop and free is of one page that nobody has mapped.
  if (n === 1) {
    const page = m.pages.find(first);
    if (page < 0 || m.pages.dma[page] === undefined) return NO_LINKS;
  }
  return walkLinks(m, first, n);
}

export interface LiveLink {
  pfn: number;
  page: number;
  link: DmaLink;
}

/** Whether a device has a page of the reference mapped now, for a reference of its kind. */
export function mappedFor(m: Ledger, row: number, {kind, sub, n}: Reference): boolean {
  const first = sub >= 0 ? sub : m.pages.pfn[row]!;
  const pages = sub >= 0 ? n : 1 << m.pages.order[row]!;
  for (const {link} of liveLinks(m, first, pages)) if (link.owner === kind || link.owner === 'ambiguous') return true;
  return false;
}

/** In a recording of some processes, or CPUs: an I/O's reference is dropped in an interrupt, while any task runs, and leaves no event. */
export function droppedElsewhere(m: Ledger, row: number, reference: Reference): boolean {
  return m.capture.isPartial && mappedFor(m, row, reference);
}

const NO_LINKS: readonly LiveLink[] = [];

function walkLinks(m: Ledger, first: number, n: number): LiveLink[] {
  const {pages} = m;
  const found: LiveLink[] = [];
  for (let i = 0; i < n; i++) {
    if ((i & 255) === 0 && n > 1) {
      m.capture.limits.looks += Math.min(256, n - i);
      if (m.capture.limits.tired()) return found;
    }
    const page = pages.find(first + i);
    if (page < 0) continue;
    let told: Overlap[] | undefined;
    for (let link = pages.dma[page]; link; link = link.next) {
      if (link.generation !== pages.generation[page]) continue;
      const {overlap} = link.window;
      if (overlap === undefined || overlap.ends.length === 0) {
        found.push({pfn: first + i, page, link});
        continue;
      }
      // Some of them are over, nobody knows which: one stands for all that are left.
      if (told?.includes(overlap)) continue;
      (told ??= []).push(overlap);
      found.push({pfn: first + i, page, link: oneOf(link, overlap)});
    }
  }
  return found;
}

/**
 * A link that stands for all of a page that belong to an overlap. Windows of the same pages: where more are left than are of
 * the writeback, or of nobody, one of the pin's (or get's) is among them for certain; else all that is left may be theirs.
 */
function oneOf(first: DmaLink, overlap: Overlap): DmaLink {
  const all: DmaLink[] = [];
  for (let link: DmaLink | undefined = first; link; link = link.next)
    if (link.window.overlap === overlap) all.push(link);
  const held = all.find(({owner}) => owner === 'pin' || owner === 'get');
  const others = all.filter(({owner}) => owner === 'writeback' || owner === 'none');
  if (held === undefined || all.length - overlap.ends.length <= others.length) return others[0] ?? first;
  if (!all.every((link) => link.owner === held.owner || others.includes(link)))
    return {...held, owner: 'ambiguous', ownerCertain: false, ownerWhy: OF_ANOTHER};
  const doubted = all.find((link) => !link.ownerCertain);
  const roomSince = Math.min(...all.map((link) => link.roomSince));
  return {...held, ownerCertain: doubted === undefined, ownerWhy: doubted?.ownerWhy ?? '', roomSince};
}

const OF_ANOTHER = 'of the mappings of this address one is left, and it may be for another reference';
