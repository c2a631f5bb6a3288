import type {Said} from '../claims/claim.js';
import {freed, held, stillHeld} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import type {Rule, RuleContext} from './types.js';

export const freeWhilePinned: Rule = {
  meta: {
    id: 'free-while-pinned',
    title: 'was freed while it held a pin',
    severity: 'error',
    needs: ['free', 'pins', 'unpins'],
    helpedBy: [{need: 'counts', misses: 'whether a probe on the unpin was merely missed'}],
    meaning:
      'A small folio cannot be freed while pinned (each pin is 1024 references), but a large one can: its pin count is apart ' +
      'from its reference count, so one put too many frees it under the pin.',
    proof: 'The pin of a large folio (typed by a probe), no unpin of it, and the free.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'freed', says: 'the page was freed'},
      {id: 'still-held', says: 'the pin was held then'},
    ],
    lookAlikes: ["A small folio freed with a pin outstanding: the unpin's event is missing, not the unpin."],
    kernelDoc: 'include/linux/mm_types.h (_pincount); Documentation/core-api/pin_user_pages.rst',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    return {
      freed(row, deed, seen) {
        const {pages} = m;
        if (!seen || !pages.is(row, 'large')) return;
        for (let r = pages.references[row]; r; r = r.next) {
          // Plain references taken together are put one by one: a guess proves nothing here.
          if (r.kind !== 'pin' || r.knownBy === 'count' || r.knownBy === 'guess') continue;
          const moment = momentOf(m, row);
          const pin = r;
          const {n, sub} = pin;
          const says = (): Said => ({
            rule: 'free-while-pinned',
            severity: 'error',
            pfn: sub >= 0 ? sub : moment.pfn,
            order: sub >= 0 ? 0 : moment.order,
            span: sub >= 0 ? n : 1,
            premises: [held([pin], moment), freed(deed, seen), stillHeld(pin, moment, deed)],
            start: deed.t,
            end: deed.t,
            deed: `${pin.task}.${deed.task}`,
            args: {distance: deed.t - pin.t, facts: {pages: n}},
            tasks: [
              {role: 'pin', task: pin.task},
              {role: 'free', task: deed.task},
            ],
            stacks: [
              {role: 'pin', stack: pin.stack},
              {role: 'free', stack: deed.stack},
            ],
            device: -1,
            evidence: [
              {role: 'pin', deed: pin},
              {role: 'free', deed},
            ],
            countsBefore: {raw: null, pins: moment.pins},
            countsAfter: {raw: 0, pins: moment.pins},
          });
          context.claim({page: moment, at: deed.t, says});
        }
      },
    };
  },
};
