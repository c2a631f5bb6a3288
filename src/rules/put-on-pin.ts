import type {Said} from '../claims/claim.js';
import {counted, freed, held, never, type Premise, stillHeld} from '../claims/premise.js';
import {Context} from '../events/event.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import {UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import {BIAS} from '../base/reference.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import type {Rule, RuleContext} from './types.js';

/** Most pages whose first plain put is kept. */
const SUSPECTS_MAX = 100_000;

export const putOnPin: Rule = {
  meta: {
    id: 'put-on-pin',
    title: 'had a pin dropped with put_page()',
    severity: 'error',
    needs: ['pins', 'counts', 'puts'],
    helpedBy: [],
    meaning:
      'pin_user_pages() adds 1024 to the count of a small folio, put_page() takes 1 away: 1023 references stay behind, the ' +
      "page can never be freed and looks pinned for ever. A large folio's count balances, but its pin count stays up, and the " +
      'folio may be freed pinned.',
    proof:
      'The pin, and a count that cannot be otherwise: with every mapping gone a small page that holds n pins has fewer than ' +
      '1024 n references. For a large folio, its free while a pin (typed by a probe) was never unpinned.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'counted', says: 'the printed count shows it'},
      {id: 'freed', says: 'the page was freed'},
      {id: 'still-held', says: 'the pin was held then'},
      {id: 'never', says: 'it was not dropped in between'},
    ],
    lookAlikes: [
      'put_page() of another reference while the pin lives on.',
      'A leaked pin: then the count stays at a multiple of 1024, not one below it.',
      'A kprobe that was missed on a large folio, in an interrupt: possible only.',
    ],
    kernelDoc:
      'Documentation/core-api/pin_user_pages.rst ("unpin_user_page() must be called"); include/linux/mm.h GUP_PIN_COUNTING_BIAS',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    /** by row: the first plain put, by a task that pinned the page, since its latest pin */
    const suspects = new Map<number, Deed>();

    function tell(row: number, pin: Reference, deed: Deed, residue: number, premises: Premise[]): void {
      const {pages} = m;
      context.explained.add(row);
      const put = suspects.get(row);
      const large = pages.is(row, 'large');
      const moment = momentOf(m, row);
      const {n, sub} = pin;
      const raw = pages.count[row] === UNKNOWN_COUNT ? null : pages.count[row]!;
      const says = (): Said => ({
        rule: 'put-on-pin',
        severity: 'error',
        pfn: sub >= 0 ? sub : moment.pfn,
        order: large && sub < 0 ? moment.order : 0,
        span: sub >= 0 && large ? n : 1,
        premises,
        start: put?.t ?? deed.t,
        end: deed.t,
        deed: `${put?.task ?? deed.task}.${pin.task}`,
        args: {facts: {residue, large, pages: n}},
        tasks: [...(pin.task >= 0 ? [{role: 'pin', task: pin.task}] : []), {role: 'put', task: (put ?? deed).task}],
        stacks: [
          {role: 'pin', stack: pin.stack},
          {role: 'put', stack: put?.stack ?? -1},
        ],
        device: -1,
        evidence: [
          ...(pin.line > 0 ? [{role: 'pin', deed: pin}] : []),
          ...(put ? [{role: 'put', deed: put}] : []),
          {role: put && put.line === deed.line ? 'count' : 'count-left', deed},
        ],
        countsBefore: null,
        countsAfter: {raw, pins: moment.pins},
      });
      context.claim({page: moment, at: put?.t ?? deed.t, says});
    }

    /** The last pin of a page that was seen to be taken, and how many were: what a count seems to hold may be mappings. */
    function seenPins(row: number): {pin: Reference | undefined; n: number} {
      let pin: Reference | undefined;
      let n = 0;
      for (let r = m.pages.references[row]; r; r = r.next) {
        if (r.kind !== 'pin' || r.knownBy === 'count') continue;
        pin ??= r;
        n += r.n;
      }
      return {pin, n};
    }

    return {
      taken(row, reference) {
        if (reference.kind === 'pin') suspects.delete(row);
      },
      counted(row, deed, delta, inBatch) {
        const {pages} = m;
        if (delta >= 0 || pages.pins[row]! <= 0 || pages.is(row, 'large') || context.explained.has(row)) return;
        const {pin, n} = seenPins(row);
        if (pin === undefined) return;
        let here: Deed | undefined;
        if (delta === -1 && !suspects.has(row) && !inBatch) {
          here = deed();
          if (here.context === Context.task && here.task === pin.task) suspects.set(row, here);
          if (suspects.size > SUSPECTS_MAX) {
            suspects.clear();
            m.capture.limits.hit('kept-by-rules', SUSPECTS_MAX);
          }
        }
        const count = pages.count[row]!;
        if (count === UNKNOWN_COUNT || count < 0) return;
        const left = count - BIAS * n;
        // A transient below zero can be another CPU's unpin whose event comes next; a put too many is minus a few. Where a page
        // has a thousand mappings the one looks like the other.
        if (left >= 0 || left < -8 || pages.mapcount[row]! >= BIAS / 2) return;
        here ??= deed();
        const moment = momentOf(m, row);
        tell(row, pin, here, left + BIAS, [held([pin], moment), counted(here, moment)]);
      },
      dropped(drop) {
        if (drop.kind === 'pin' && m.pages.pins[drop.row] === 0) suspects.delete(drop.row);
      },
      freed(row, deed, seen) {
        const {pages} = m;
        suspects.delete(row);
        if (!seen || !pages.is(row, 'large') || !m.counts.complete()) return;
        for (let pin = pages.references[row]; pin; pin = pin.next) {
          if (pin.kind !== 'pin' || pin.knownBy === 'count' || pin.knownBy === 'guess') continue;
          const moment = momentOf(m, row);
          tell(row, pin, deed, 0, [
            held([pin], moment),
            freed(deed, seen),
            stillHeld(pin, moment, deed),
            never('dropped', moment, pin.t, deed.t),
          ]);
        }
      },
    };
  },
};
