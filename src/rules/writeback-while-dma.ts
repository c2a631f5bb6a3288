import type {Said} from '../claims/claim.js';
import {held as isHeld, live, ofFile, owns, stillHeld, told, underWriteback} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import {countsRecorded} from '../ledger/moment.js';
import {endRole} from '../ledger/tables/dma.js';
import {UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import type {Rule, RuleContext} from './types.js';
import {howMapped} from '../words/direction.js';
import {throughBuffer} from './bounced.js';
import {watchWriteback, writesThrough} from './writeback.js';

export const writebackWhileDma: Rule = {
  meta: {
    id: 'writeback-while-dma',
    title:
      'of a file went under writeback while a device-writable mapping made under plain get_user_pages references was live',
    severity: 'warning',
    needs: ['gets', 'writeback', 'dma-map'],
    helpedBy: [],
    meaning:
      'The same hazard as writeback-while-pinned, under plain references: the device may change the page while the file ' +
      'system writes it out and takes it for clean.',
    proof: 'The get, the device-writable map under it, and the start of writeback before the unmap.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'held', says: 'it was a get_user_pages reference'},
      {id: 'still-held', says: 'the pin was held then'},
      {id: 'still-held', says: 'the get was held then'},
      {id: 'owns', says: "it was mapped for the pin's own I/O"},
      {id: 'owns', says: 'it was mapped under that reference'},
      {id: 'live', says: "the mapping's own end came later"},
      {id: 'under-writeback', says: 'the writeback was running'},
      {id: 'of-file', says: 'the page was of a file'},
      {id: 'told', says: 'it was mapped while the reference was held'},
    ],
    lookAlikes: ['Mappings TO_DEVICE; pages that are anonymous; direct I/O writes (the device reads).'],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    return watchWriteback(m, 'get', (held) => {
      const {row, writeback, reference, writable} = held;
      if (!writable || held.page.kind === 'anonymous') return;
      const start = Math.max(writeback.start.t, writable.window.open.t);
      const late = writable.window.open.t > writeback.start.t;
      const met = late ? writable.window.open : writeback.start;
      const moment = held.page;
      const order = m.pages.order[row]!;
      const {end} = writeback;
      const {close} = writable.window;
      const counted = countsRecorded(m);
      const says = (): Said => ({
        rule: 'writeback-while-dma',
        severity: 'warning',
        pfn: moment.pfn,
        order,
        premises: [
          isHeld([reference], moment, 'get'),
          stillHeld(reference, moment, met, writable),
          owns(writable),
          ...(late ? [] : [live(writable.window, writeback.start, moment)]),
          ...throughBuffer(writable.window),
          ...writesThrough(m, held),
          underWriteback(writeback, met, late, undefined, reference),
          ofFile(moment, reference, writeback.start),
          ...(counted
            ? []
            : [
                told(
                  'it was mapped while the reference was held',
                  false,
                  'puts leave no event here: the reference may have been dropped before the mapping was made',
                ),
              ]),
        ],
        start,
        end: end?.t ?? NaN,
        deed: `${reference.task}.${writable.window.device}`,
        args: {facts: {direction: howMapped(writable.window)}},
        tasks: [
          ...(reference.task >= 0 ? [{role: 'get', task: reference.task}] : []),
          {role: 'writeback', task: writeback.start.task},
        ],
        stacks: [
          {role: 'get', stack: reference.stack},
          {role: 'writeback', stack: writeback.start.stack},
        ],
        device: writable.window.device,
        evidence: [
          ...(reference.line > 0 ? [{role: 'get', deed: reference}] : []),
          {role: 'dma-map', deed: writable.window.open},
          {role: 'writeback-start', deed: writeback.start},
          ...(close ? [{role: endRole(writable.window), deed: close}] : []),
          ...(end ? [{role: 'writeback-end', deed: end}] : []),
        ].sort((a, b) => a.deed.t - b.deed.t),
        countsBefore: null,
        countsAfter: {raw: held.countAtStart === UNKNOWN_COUNT ? null : held.countAtStart, pins: held.pinsAtStart},
      });
      context.claim({page: moment, at: start, awaits: writable.window, says});
    });
  },
};
