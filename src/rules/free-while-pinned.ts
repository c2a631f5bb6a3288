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
          context.claim({
            rule: 'free-while-pinned',
            severity: 'error',
            pfn: r.sub >= 0 ? r.sub : pages.pfn[row]!,
            order: r.sub >= 0 ? 0 : pages.order[row]!,
            span: r.sub >= 0 ? r.n : 1,
            page: moment,
            premises: [held([r], moment), freed(deed, seen), stillHeld(r, moment, deed)],
            start: deed.t,
            end: deed.t,
            deed: `${r.task}.${deed.task}`,
            args: {distance: deed.t - r.t, facts: {pages: r.n}},
            tasks: [
              {role: 'pin', task: r.task},
              {role: 'free', task: deed.task},
            ],
            stacks: [
              {role: 'pin', stack: r.stack},
              {role: 'free', stack: deed.stack},
            ],
            device: -1,
            evidence: [
              {role: 'pin', deed: r},
              {role: 'free', deed},
            ],
            countsBefore: {raw: null, pins: pages.pins[row]!},
            countsAfter: {raw: 0, pins: pages.pins[row]!},
            at: deed.t,
          });
        }
      },
    };
  },
};
