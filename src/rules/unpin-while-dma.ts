import type {Said} from '../claims/claim.js';
import {held, last, live, owns, told} from '../claims/premise.js';
import {EventKind as K} from '../events/event.js';
import {type Drop, type Listener, probeOf} from '../ledger/listener.js';
import {countsRecorded, momentOf} from '../ledger/moment.js';
import {UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import {BIAS} from '../base/reference.js';
import {howMapped} from '../words/direction.js';
import {untouched} from './bounced.js';
import {type LiveLink, liveLinks} from './live-links.js';
import type {Rule, RuleContext} from './types.js';

export const unpinWhileDma: Rule = {
  meta: {
    id: 'unpin-while-dma',
    title: "had its last pin dropped while a DMA mapping that belongs to the pin's own I/O was live",
    severity: 'error; warning while a get_user_pages reference on it is still held',
    needs: ['unpins', 'pins', 'dma-map', 'dma-unmap'],
    helpedBy: [],
    meaning:
      'The pin is what keeps the page in place for the device. Once the last one is gone the page can be reclaimed, migrated ' +
      'or freed, and the device writes into (or reads from) whatever lives there then. The right order is: unmap (or sync), ' +
      'mark dirty, unpin.',
    proof:
      'The pin (a probe with FOLL_PIN, or page_ref +1024/+1023), the map under it, the unpin, and the unmap that comes after ' +
      'the unpin, each on its line.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'last', says: 'no pin was left'},
      {id: 'owns', says: "it was mapped for the pin's own I/O"},
      {id: 'live', says: "the mapping's own end came later"},
      {id: 'told', says: 'a get_user_pages reference held it still'},
    ],
    lookAlikes: [
      'Another pin still holds the page: no finding; it counts as a near miss.',
      "The mapping is the page's own writeback (TO_DEVICE, PG_writeback set): PG_writeback protects it, not the pin.",
      'A driver that skips dma_unmap because dma_need_unmap() is false: such devices are never seen to unmap and stay silent.',
      'IOMMU users (VFIO, iommufd) that keep mapping and pin in step by locks of their own: reported as possible only.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst, case 1 and 2; Documentation/core-api/dma-api.rst',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;

    /** The pin is older than the trace, or its taking is not recorded: a mapping seen since then may be its own. */
    function unseenPin(drop: Drop): boolean {
      // Where takings are not recorded at all, every mapping would be one of an unseen pin.
      if (
        m.capture.coverage.takingUncovered() !== null &&
        m.capture.audit.balanced === 0 &&
        !m.capture.records(K.RefModAndTest)
      )
        return false;
      if (drop.from.some((f) => f.reference.knownBy === 'count')) return true;
      return drop.unmatched > 0 && !m.pages.is(drop.row, 'lifeSeen');
    }

    /** The pins that are left on a large folio are for as many pages as are mapped: whichever was dropped, none of those need be bare. */
    function spared(drop: Drop): boolean {
      let left = m.pages.pins[drop.row]!;
      if (left === 0) return false;
      for (let r = m.pages.references[drop.row]; r; r = r.next) if (r.kind === 'pin') left += r.span - r.n;
      let mapped = 0;
      let before = -1;
      const head = m.pages.pfn[drop.row]!;
      for (const {pfn, link} of liveLinks(m, head, 1 << m.pages.order[drop.row]!)) {
        if (pfn === before || (link.owner !== 'pin' && link.owner !== 'ambiguous')) continue;
        before = pfn;
        mapped++;
      }
      return left >= mapped;
    }

    function claim(drop: Drop, {pfn, page, link}: LiveLink, maybeHeld: boolean): void {
      const {window} = link;
      const got = m.pages.holds(drop.row, 'get', pfn);
      const moment = {...momentOf(m, drop.row, page), pfn};
      const says = (): Said => {
        const pins = drop.from.map((f) => f.reference);
        const pin = pins[0];
        const probed = probeOf(drop);
        const raw = drop.rawAfter === UNKNOWN_COUNT ? null : drop.rawAfter;
        return {
          rule: 'unpin-while-dma',
          severity: got ? 'warning' : 'error',
          pfn,
          order: 0,
          premises: [
            held(pins, moment),
            last('pin', moment, drop, maybeHeld),
            owns(link),
            live(window, drop.deed, moment, pins.length === 1 ? pin : undefined),
            ...untouched(window),
            ...(got && !countsRecorded(m)
              ? [
                  told(
                    'a get_user_pages reference held it still',
                    false,
                    'whether the plain reference on it was put before cannot be seen without page_ref events',
                  ),
                ]
              : []),
          ],
          start: drop.deed.t,
          end: NaN,
          deed: `${drop.deed.task}.${window.device}.${pin?.task ?? -1}`,
          args: {facts: {stillGot: got, direction: howMapped(window)}},
          tasks: [
            ...(pin && pin.task >= 0 ? [{role: 'pin', task: pin.task}] : []),
            {role: 'unpin', task: drop.deed.task},
          ],
          stacks: [
            {role: 'pin', stack: pin?.stack ?? -1},
            {role: 'unpin', stack: drop.deed.stack},
          ],
          device: window.device,
          evidence: [
            ...(pin && pin.line > 0 ? [{role: 'pin', deed: pin}] : []),
            {role: 'dma-map', deed: window.open},
            ...(probed ? [{role: 'unpin', deed: probed}] : []),
            {role: 'unpin', deed: drop.deed},
          ],
          countsBefore: {
            raw: raw === null ? null : raw + (moment.large ? 1 : BIAS) * drop.n,
            pins: moment.pins + drop.n,
          },
          countsAfter: {raw, pins: moment.pins},
        };
      };
      context.claim({page: moment, at: drop.deed.t, awaits: window, says});
    }

    return {
      dropped(drop) {
        if (drop.kind !== 'pin') return;
        if (!drop.subKnown && spared(drop)) return;
        for (const live of liveLinks(m, drop.sub, drop.subPages)) {
          const {owner} = live.link;
          if (owner !== 'pin' && owner !== 'ambiguous' && !(owner === 'none' && unseenPin(drop))) continue;
          const left = m.pages.covers(drop.row, 'pin', live.pfn);
          if (left === 'no' || (left === 'maybe' && !spared(drop))) claim(drop, live, left === 'maybe');
        }
      },
    };
  },
};
