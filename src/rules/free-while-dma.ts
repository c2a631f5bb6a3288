import type {Charge, Said} from '../claims/claim.js';
import {freed, held, live, owns, told} from '../claims/premise.js';
import type {DmaLink, DmaWindow} from '../ledger/tables/dma.js';
import type {Listener} from '../ledger/listener.js';
import {countsRecorded, momentOf} from '../ledger/moment.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {liveLinks} from './live-links.js';
import type {Rule, RuleContext} from './types.js';
import {howMapped} from '../words/direction.js';
import {untouched} from './bounced.js';

/** Most large folios that are watched for a part of them being unmapped. */
const WATCHED_MAX = 10_000;

export const freeWhileDma: Rule = {
  meta: {
    id: 'free-while-dma',
    title: 'was freed, or handed out again, while a mapping made under a pin or get of it was live',
    severity: 'error',
    needs: ['free', 'dma-map', 'dma-unmap', 'pins'],
    helpedBy: [],
    meaning:
      'The page went back to the allocator while a device could still reach it. Its next owner shares it with the device: ' +
      'the classic silent corruption. It is most often the consequence of an unpin or put that came too soon.',
    proof:
      'The map while the page was pinned (or held by get_user_pages), the free, and the unmap that comes after it.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'held', says: 'it was a get_user_pages reference'},
      {id: 'owns', says: "it was mapped for the pin's own I/O"},
      {id: 'owns', says: 'it was mapped under that reference'},
      {id: 'freed', says: 'the page was freed'},
      {id: 'live', says: "the mapping's own end came later"},
      {id: 'told', says: 'the page was freed'},
      {id: 'told', says: 'it was mapped while the reference was held'},
    ],
    lookAlikes: [
      "Mappings that were never made under a pin or get: a driver's own buffers, page cache read-in, the page's writeback.",
      'A device that is never seen to unmap: silent, its mappings have no end to compare with.',
    ],
    kernelDoc: 'Documentation/core-api/dma-api-howto.rst (the buffer belongs to the device until it is unmapped)',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    // Who held the page when it was mapped: by then dropped, and needed for the message.
    const holders = new WeakMap<DmaWindow, Reference>();
    /** watched large folios whose one mapping was split into one a page */
    const mappedByPages = new Set<number>();

    function claim(row: number, deed: Deed, seen: boolean, link: DmaLink, part: boolean): Charge {
      const {window, owner} = link;
      const holder = holders.get(window);
      const moment = momentOf(m, row);
      const role = owner === 'get' ? 'get' : 'pin';
      const says = (): Said => ({
        rule: 'free-while-dma',
        severity: 'error',
        pfn: moment.pfn,
        order: 0,
        premises: [
          ...(holder ? [held([holder], moment, holder.kind)] : []),
          owns(link),
          part
            ? told(
                'the page was freed',
                false,
                'the folio is still held by its other pages: this part of it was unmapped by its owner, and is freed when it is split',
                deed,
              )
            : freed(deed, seen),
          ...(owner === 'get' && !countsRecorded(m)
            ? [
                told(
                  'it was mapped while the reference was held',
                  false,
                  'puts leave no event here: the reference may have been dropped before the mapping was made',
                ),
              ]
            : []),
          live(window, deed, moment),
          ...untouched(window),
        ],
        start: deed.t,
        end: NaN,
        deed: `${deed.task}.${window.device}`,
        args: {facts: {direction: howMapped(window), reused: !seen, owner}},
        tasks: [...(holder ? [{role, task: holder.task}] : []), {role: 'free', task: deed.task}],
        stacks: [
          {role, stack: holder?.stack ?? -1},
          {role: 'free', stack: deed.stack},
        ],
        device: window.device,
        evidence: [
          ...(holder && holder.line > 0 ? [{role: holder.kind as string, deed: holder}] : []),
          {role: 'dma-map', deed: window.open},
          {role: seen ? 'free' : 'alloc', deed},
        ],
        countsBefore: null,
        countsAfter: null,
      });
      return {page: moment, at: deed.t, awaits: window, says};
    }

    return {
      dmaOpened(window) {
        for (const run of window.runs) {
          const folio = m.pages.findFolio(run.pfn);
          const holder = folio >= 0 ? m.pages.references[folio] : undefined;
          if (holder) {
            holders.set(window, holder);
            return;
          }
        }
      },
      freed(row, deed, seen) {
        for (const {link} of liveLinks(m, m.pages.pfn[row]!, 1)) {
          if (link.owner === 'none' || link.owner === 'writeback') continue;
          context.claim(claim(row, deed, seen, link, false));
        }
      },
      dropped(drop) {
        const {pages} = m;
        if (drop.kind !== 'pin' || !pages.is(drop.row, 'large') || pages.pins[drop.row]! > 0) return;
        for (const {link} of liveLinks(m, drop.sub, drop.subPages)) {
          if (link.owner !== 'pin') continue;
          if (m.watched.size < WATCHED_MAX) m.watched.add(drop.row);
          else m.capture.limits.hit('kept-by-rules');
          break;
        }
      },
      /**
       * Part of a large folio is unmapped from its owner: its sub-pages are nobody's from here on, although the folio
       * itself is freed only when it is split (deferred split queue, mm/huge_memory.c). No event shows that.
       */
      counted(row, deed, delta, inBatch) {
        const {pages} = m;
        if (!m.watched.has(row)) return;
        if (pages.pins[row]! > 0) m.watched.delete(row);
        // __split_huge_pmd_locked() takes a reference for each further page before a part can be unmapped.
        if (delta === (1 << pages.order[row]!) - 1) mappedByPages.add(row);
        if ((!inBatch && !mappedByPages.has(row)) || delta >= 0 || pages.pins[row]! > 0 || pages.count[row]! <= 0)
          return;
        m.watched.delete(row);
        mappedByPages.delete(row);
        const links = liveLinks(m, pages.pfn[row]!, 1 << pages.order[row]!).filter(({link}) => link.owner === 'pin');
        if (links.length === 0 || links.length > -delta) return;
        const dropped = deed();
        for (const {page, link} of links) {
          context.claim(claim(page, dropped, true, link, true));
        }
      },
    };
  },
};
