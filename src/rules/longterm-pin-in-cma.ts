import type {Said} from '../claims/claim.js';
import {held, stillHeld, told} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import {MIGRATE_CMA} from '../ledger/tables/page-table.js';
import type {Reference} from '../ledger/tables/references.js';
import type {Rule, RuleContext} from './types.js';

export const longtermPinInCma: Rule = {
  meta: {
    id: 'longterm-pin-in-cma',
    title: 'was still pinned long-term in a CMA block after the pin call returned success',
    severity: 'warning',
    needs: ['pins', 'gup-flags', 'migratetype'],
    helpedBy: [],
    meaning:
      'FOLL_LONGTERM must migrate pages out of CMA blocks before it answers; a page left there makes later cma_alloc() fail ' +
      'for as long as it is pinned.',
    proof:
      "A pin with FOLL_LONGTERM, mt=4 in the page's own page_ref events, and the successful return of the pin call.",
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'told', says: 'the block is a CMA block'},
      {id: 'still-held', says: 'the pin was held then'},
    ],
    lookAlikes: [
      'Pins taken and undone while the kernel migrates: not findings.',
      'mt=4 on a kernel without CONFIG_CMA means "isolate": possible only, unless CMA shows in the trace.',
      'mt=1 (movable) is no violation.',
    ],
    kernelDoc: 'mm/gup.c check_and_migrate_movable_pages(), 5.10 and later',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    /** pins of calls that run now, in CMA blocks */
    const open = new Map<number, Reference[]>();
    return {
      taken(row, reference) {
        if (reference.kind !== 'pin' || reference.call === 0 || m.pages.migratetype[row] !== MIGRATE_CMA) return;
        if (reference.gupFlags < 0 || !m.capture.era.isLongterm(reference.gupFlags)) return;
        const list = open.get(reference.call);
        if (list) list.push(reference);
        else open.set(reference.call, [reference]);
      },
      pinCallReturned(_task, call, _flags, ret, deed) {
        const list = open.get(call);
        if (!list) return;
        open.delete(call);
        if (ret <= 0) return;
        const returned = deed();
        for (const pin of list) {
          if (pin.n <= 0 || m.pages.migratetype[pin.row] !== MIGRATE_CMA) continue;
          const moment = momentOf(m, pin.row);
          const pfn = pin.sub >= 0 ? pin.sub : moment.pfn;
          const says = (): Said => ({
            rule: 'longterm-pin-in-cma',
            severity: 'warning',
            pfn,
            order: 0,
            premises: [
              held([pin], moment),
              told(
                'the block is a CMA block',
                m.capture.era.cmaKnown,
                'mt=4 is CMA only where CONFIG_CMA is set, which nothing in the trace shows',
              ),
              stillHeld(pin, moment, returned),
            ],
            start: pin.t,
            end: returned.t,
            deed: `${pin.task}.${pin.call}`,
            args: {},
            tasks: [{role: 'pin', task: pin.task}],
            stacks: [{role: 'pin', stack: pin.stack}],
            device: -1,
            evidence: [
              {role: 'pin', deed: pin},
              {role: 'return', deed: returned},
            ],
            countsBefore: null,
            countsAfter: null,
          });
          context.claim({page: moment, at: returned.t, says});
        }
      },
    };
  },
};
