import type {Listener} from '../ledger/listener.js';
import {firstDoubt, lost, mappingDoubt, tie} from './certainty.js';
import {liveLinks, WaitingForUnmap} from './live-windows.js';
import type {Rule, RuleContext} from './types.js';
import {directionName} from './unpin-while-dma.js';

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
    lookAlikes: [
      'get_page() and put_page() by others during the I/O: as long as the count leaves room for the get, nothing is said.',
      'A pin on the same page still protects it.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst (FOLL_GET and FOLL_PIN)',
  },

  judge(context: RuleContext): Listener {
    const m = context.model;
    const waiting = new WaitingForUnmap(m, context.report);
    return {
      dropped(drop) {
        if (drop.kind !== 'get') return;
        for (const {pfn, page, link} of liveLinks(m, drop.sub, drop.subPages)) {
          if (link.owner !== 'get' || m.holds(drop.row, 'get', pfn) || m.holds(drop.row, 'pin', pfn)) continue;
          const {window} = link;
          const get = drop.from[0]?.reference;
          const reason = firstDoubt(
            mappingDoubt(window, link.owner),
            lost(m, window.sharedSince, drop.deed.t),
            drop.doubt,
          );
          waiting.add(
            window,
            {
              rule: 'put-while-dma',
              severity: 'error',
              verdict: reason ? 'possible' : 'sure',
              reason,
              pfn,
              order: 0,
              row: drop.row,
              generation: m.pages.generation[page]!,
              start: drop.deed.t,
              end: NaN,
              deed: `${drop.deed.task}.${window.device}.${get?.task ?? -1}`,
              args: {facts: {direction: directionName(window.dir)}},
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
              countsBefore: {raw: drop.rawAfter + drop.n, pins: m.pages.pins[drop.row]!},
              countsAfter: {raw: drop.rawAfter, pins: m.pages.pins[drop.row]!},
              at: drop.deed.t,
            },
            (v, w) => {
              v.evidence.push({role: 'dma-unmap', deed: w.close!});
              v.args.distance = w.close!.t - drop.deed.t;
              for (const s of v.stacks) if (s.role === 'put') s.stack = drop.deed.stack;
              v.reason ??= firstDoubt(tie(m, drop.deed, w.close!), lost(m, drop.deed.t, w.close!.t));
              if (v.reason) v.verdict = 'possible';
            },
          );
        }
      },
      dmaClosed: (window) => waiting.closed(window),
      ended: () => waiting.ended(),
    };
  },
};
