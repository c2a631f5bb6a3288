/** What the rules about DMA share: the live windows under a page. */
import type {DmaLink} from '../ledger/tables/dma.js';
import type {Model} from '../ledger/model.js';

/** Live windows on pages [first, first + n) that were opened for the page that lives there now. */
export function liveLinks(m: Model, first: number, n: number): Iterable<LiveLink> {
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

const NO_LINKS: readonly LiveLink[] = [];

function* walkLinks(m: Model, first: number, n: number): Iterable<LiveLink> {
  const {pages} = m;
  for (let i = 0; i < n; i++) {
    if ((i & 255) === 0 && n > 1) {
      m.limits.looks += Math.min(256, n - i);
      if (m.limits.tired(m.events)) return;
    }
    const page = pages.find(first + i);
    if (page < 0) continue;
    for (let link = pages.dma[page]; link; link = link.next) {
      if (link.generation === pages.generation[page]) yield {pfn: first + i, page, link};
    }
  }
}
