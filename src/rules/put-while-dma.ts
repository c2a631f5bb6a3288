import type {Said} from '../claims/claim.js';
import {held, last, live, owns, told} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import {liveLinks} from './live-links.js';
import type {Rule, RuleContext} from './types.js';
import {howMapped} from '../words/direction.js';
import {untouched} from './bounced.js';

export const putWhileDma: Rule = {
  meta: {
    id: 'put-while-dma',
    title: 'had its last get_user_pages reference dropped while the mapping made under it was live',
    severity: 'error',
    needs: ['gets', 'puts', 'counts', 'dma-map', 'dma-unmap'],
    helpedBy: [],
    meaning:
      'The same mistake as unpin-while-dma in the API of before 5.6, and of callers that still take plain references: ' +
      'put_page() comes before the device is done.',
    proof:
      'The get (a probe with FOLL_GET), the map under it, the put after which the count leaves no room for the get, and the unmap.',
    premises: [
      {id: 'held', says: 'it was a get_user_pages reference'},
      {id: 'last', says: 'no get was left'},
      {id: 'owns', says: 'it was mapped under that reference'},
      {id: 'live', says: "the mapping's own end came later"},
      {id: 'told', says: 'the holder has no other way to keep the page'},
    ],
    lookAlikes: [
      'get_page() and put_page() by others during the I/O: as long as the count leaves room for the get, nothing is said.',
      'A pin on the same page still protects it.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst (FOLL_GET and FOLL_PIN)',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    return {
      dropped(drop) {
        if (drop.kind !== 'get') return;
        for (const {pfn, page, link} of liveLinks(m, drop.sub, drop.subPages)) {
          if (link.owner !== 'get' || m.pages.holds(drop.row, 'get', pfn) || m.pages.holds(drop.row, 'pin', pfn))
            continue;
          const {window} = link;
          const get = drop.from[0]?.reference;
          const moment = {...momentOf(m, drop.row, page), pfn};
          const says = (): Said => ({
            rule: 'put-while-dma',
            severity: 'error',
            pfn,
            order: 0,
            premises: [
              held(get ? [get] : [], moment, 'get'),
              last('get', moment, drop),
              owns(link),
              live(window, drop.deed, moment),
              ...untouched(window),
              told(
                'the holder has no other way to keep the page',
                false,
                'a driver with an mmu notifier may put the page at once and unmap in the notifier: the trace does not tell',
              ),
            ],
            start: drop.deed.t,
            end: NaN,
            deed: `${drop.deed.task}.${window.device}.${get?.task ?? -1}`,
            args: {facts: {direction: howMapped(window)}},
            tasks: [
              ...(get && get.task >= 0 ? [{role: 'get', task: get.task}] : []),
              {role: 'put', task: drop.deed.task},
            ],
            stacks: [
              {role: 'get', stack: get?.stack ?? -1},
              {role: 'put', stack: drop.deed.stack},
            ],
            device: window.device,
            evidence: [
              ...(get && get.line > 0 ? [{role: 'get', deed: get}] : []),
              {role: 'dma-map', deed: window.open},
              {role: 'put', deed: drop.deed},
            ],
            countsBefore: {raw: drop.rawAfter + drop.n, pins: moment.pins},
            countsAfter: {raw: drop.rawAfter, pins: moment.pins},
          });
          context.claim({page: moment, at: drop.deed.t, awaits: window, says});
        }
      },
    };
  },
};
