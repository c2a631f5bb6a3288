import type {Said} from '../claims/claim.js';
import {held, owns, stillHeld, told} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import type {Reference} from '../ledger/tables/references.js';
import {liveLinks} from './live-links.js';
import type {Rule, RuleContext} from './types.js';
import {directionName} from '../words/direction.js';

/** Of a large folio a grab may name no page. */
const OF_PAGE = 'it is a reference of this page';
const OF_FOLIO = 'it is of the folio: of which page of it is not known';

export const dmaWithoutPin: Rule = {
  meta: {
    id: 'dma-without-pin',
    title: 'was DMA-mapped by the task that holds it by get_user_pages only',
    severity: 'note',
    needs: ['gets', 'dma-map', 'gup-flags'],
    helpedBy: [],
    meaning:
      'The device reaches the data of a user page that is held by a plain reference. Since 5.6 such users are to pin ' +
      '(FOLL_PIN), so that writeback and fork can know of it.',
    proof: 'The get (FOLL_GET) and the map of the same task, with no pin on the page.',
    premises: [
      {id: 'held', says: 'it was a get_user_pages reference'},
      {id: 'told', says: OF_PAGE},
      {id: 'owns', says: 'it was mapped under that reference'},
      {id: 'still-held', says: 'the get was held then'},
    ],
    lookAlikes: [
      'Users that still rightly take plain references: NFS direct I/O, ceph, vmsplice, zero-copy send (kernel-facts by version).',
      'Direct I/O before 6.5, which took plain references: silent on such kernels.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst, case 1, 2 and 5',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    return {
      dmaOpened(window) {
        if (window.iommuOnly || m.capture.era.foll !== 'new') return;
        for (const run of window.runs) {
          for (const {pfn, page, link} of liveLinks(m, run.pfn, Math.min(run.pages, 1024))) {
            if (link.window !== window || link.owner !== 'get') continue;
            const folio = m.pages.findFolio(pfn);
            const large = m.pages.is(folio, 'large');
            let get: Reference | undefined;
            for (let r = m.pages.references[folio]; r; r = r.next)
              if (r.kind === 'get' && (!large || r.covers(pfn))) get ??= r;
            if (!get || get.task !== window.open.task || (get.gupFlags >= 0 && m.capture.era.isRemote(get.gupFlags)))
              continue;
            const moment = momentOf(m, folio, page);
            const holder = get;
            const says = (): Said => ({
              rule: 'dma-without-pin',
              severity: 'note',
              pfn,
              order: 0,
              premises: [
                held([holder], moment, 'get'),
                ...(large && (holder.sub < 0 || !holder.subCertain) ? [told(OF_PAGE, false, OF_FOLIO, holder)] : []),
                owns(link),
                stillHeld(holder, moment, window.open),
              ],
              start: window.open.t,
              end: window.open.t,
              deed: `${holder.task}.${window.device}`,
              args: {facts: {direction: directionName(window.dir)}},
              tasks: [{role: 'get', task: holder.task}],
              stacks: [
                {role: 'get', stack: holder.stack},
                {role: 'dma-map', stack: window.open.stack},
              ],
              device: window.device,
              evidence: [
                {role: 'get', deed: holder},
                {role: 'dma-map', deed: window.open},
              ],
              countsBefore: null,
              countsAfter: null,
            });
            context.claim({page: moment, at: window.open.t, says});
          }
        }
      },
    };
  },
};
