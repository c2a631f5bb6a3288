import type {Said} from '../claims/claim.js';
import {endOfTrace, held as isHeld, stillHeld, told} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {droppedElsewhere} from './live-links.js';
import type {Rule, RuleContext} from './types.js';

export const longPin: Rule = {
  meta: {
    id: 'long-pin',
    title: 'held a pin longer than --long-pin without FOLL_LONGTERM',
    severity: 'note',
    needs: ['pins', 'unpins', 'time'],
    helpedBy: [{need: 'gup-flags', misses: 'whether a pin was long-term by design'}],
    meaning:
      'A pin without FOLL_LONGTERM is meant to last for one I/O. Held for long it blocks migration, compaction and CMA, and ' +
      'was not checked for the places (CMA, ZONE_MOVABLE, fsdax) that long-term pins must leave.',
    proof: 'The pin, its flags, and the unpin (or the end of the trace) later than the threshold.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'told', says: 'the pin was not long-term'},
      {id: 'still-held', says: 'the pin was held then'},
    ],
    lookAlikes: ['Pins with FOLL_LONGTERM: io_uring fixed buffers, RDMA, VFIO.'],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst (FOLL_LONGTERM)',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;

    function tell(pin: Reference, end: number, drop: Deed | undefined): void {
      const held = end - pin.t;
      if (m.capture.time.unit === 'ticks' || !(held > context.longPin_ns) || pin.knownBy === 'count') return;
      const longterm = pin.gupFlags >= 0 ? m.capture.era.isLongterm(pin.gupFlags) : undefined;
      if (longterm) return;
      const moment = momentOf(m, pin.row);
      const {sub, n} = pin;
      const says = (): Said => ({
        rule: 'long-pin',
        severity: 'note',
        pfn: sub >= 0 ? sub : moment.pfn,
        order: sub >= 0 ? 0 : moment.order,
        span: sub >= 0 && moment.large ? Math.max(1, n) : 1,
        premises: [
          isHeld([pin], moment),
          told(
            'the pin was not long-term',
            longterm !== undefined,
            'its flags were not traced: it may be a long-term pin',
          ),
          stillHeld(pin, moment, drop ?? endOfTrace(m.capture.last)),
        ],
        start: pin.t,
        end: drop ? end : NaN,
        deed: `${pin.task}.${pin.stack}`,
        args: {distance: held, facts: {dropped: drop !== undefined}},
        tasks: [{role: 'pin', task: pin.task}, ...(drop ? [{role: 'unpin', task: drop.task}] : [])],
        stacks: [{role: 'pin', stack: pin.stack}],
        device: -1,
        evidence: [{role: 'pin', deed: pin}, ...(drop ? [{role: 'unpin', deed: drop}] : [])],
        countsBefore: null,
        countsAfter: null,
      });
      context.claim({page: moment, at: pin.t, says});
    }

    return {
      dropped(drop) {
        if (drop.kind !== 'pin') return;
        for (const {reference} of drop.from) tell(reference, drop.deed.t, drop.deed);
      },
      ended(t) {
        const {pages} = m;
        for (let row = 0; row < pages.size; row++) {
          for (let r = pages.references[row]; r; r = r.next)
            if (r.kind === 'pin' && !droppedElsewhere(m, row, r)) tell(r, t, undefined);
        }
      },
    };
  },
};
