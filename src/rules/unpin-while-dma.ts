import {DmaDir} from '../events/event.js';
import type {DmaLink, DmaWindow} from '../ledger/tables/dma.js';
import type {Drop, Listener} from '../ledger/listener.js';
import {PageState, UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import {BIAS} from '../ledger/trackers/ref-counts.js';
import {countsRecorded, firstDoubt, lost, mappingDoubt, pinsDoubt, tie} from './certainty.js';
import {liveLinks, WaitingForUnmap} from './live-windows.js';
import type {Rule, RuleContext, Violation} from './types.js';

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
    lookAlikes: [
      'Another pin still holds the page: no finding; it counts as a near miss.',
      "The mapping is the page's own writeback (TO_DEVICE, PG_writeback set): PG_writeback protects it, not the pin.",
      'A driver that skips dma_unmap because dma_need_unmap() is false: such devices are never seen to unmap and stay silent.',
      'IOMMU users (VFIO, iommufd) that keep mapping and pin in step by locks of their own: reported as possible only.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst, case 1 and 2; Documentation/core-api/dma-api.rst',
  },

  judge(context: RuleContext): Listener {
    const m = context.model;
    const waiting = new WaitingForUnmap(m, context.report);

    function violation(drop: Drop, pfn: number, page: number, link: DmaLink): Violation {
      const {window} = link;
      const pins = drop.from.map((f) => f.reference);
      const pin = pins[0];
      const stillGot = m.holds(drop.row, 'get', pfn);
      const getsUnseen = stillGot && !countsRecorded(m);
      const small = (m.pages.state[drop.row]! & PageState.large) === 0;
      // A small page's printed count proves that no pin is left, whatever was lost before.
      const since = small && drop.rawAfter !== UNKNOWN_COUNT ? window.sharedSince : m.pages.since[drop.row]!;
      const reason = firstDoubt(
        pinsDoubt(m, drop.row, pins),
        mappingDoubt(window, link.owner),
        lost(m, Math.min(since, window.sharedSince), drop.deed.t),
        getsUnseen ? 'whether the plain reference on it was put before cannot be seen without page_ref events' : null,
      );
      const raw = drop.rawAfter === UNKNOWN_COUNT ? null : drop.rawAfter;
      return {
        rule: 'unpin-while-dma',
        severity: stillGot ? 'warning' : 'error',
        verdict: reason ? 'possible' : 'sure',
        reason,
        pfn,
        order: 0,
        row: drop.row,
        generation: m.pages.generation[page]!,
        start: drop.deed.t,
        end: NaN,
        deed: `${drop.deed.task}.${window.device}.${pin?.task ?? -1}`,
        args: {facts: {stillGot, direction: directionName(window.dir)}},
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
          ...(drop.probe ? [{role: 'unpin', deed: {...drop.deed, ...drop.probe}}] : []),
          {role: 'unpin', deed: drop.deed},
        ],
        countsBefore: {
          raw: raw === null ? null : raw + (small ? BIAS : 1) * drop.n,
          pins: m.pages.pins[drop.row]! + drop.n,
        },
        countsAfter: {raw, pins: m.pages.pins[drop.row]!},
        at: drop.deed.t,
      };
    }

    /** The pin is older than the trace, or its taking is not recorded: a mapping seen since then may be its own. */
    function unseenPin(drop: Drop): boolean {
      if (drop.from.some((f) => f.reference.knownBy === 'count')) return true;
      return drop.unmatched > 0 && (m.pages.state[drop.row]! & PageState.lifeSeen) === 0;
    }

    return {
      dropped(drop) {
        if (drop.kind !== 'pin') return;
        for (const {pfn, page, link} of liveLinks(m, drop.sub, drop.subPages)) {
          if (link.owner !== 'pin' && link.owner !== 'ambiguous' && !(link.owner === 'none' && unseenPin(drop)))
            continue;
          if (m.holds(drop.row, 'pin', pfn)) continue;
          const {window} = link;
          waiting.add(window, violation(drop, pfn, page, link), (v, w) => finish(drop, v, w));
        }
      },
      dmaClosed: (window) => waiting.closed(window),
      ended: () => waiting.ended(),
    };

    function finish(drop: Drop, v: Violation, window: DmaWindow): void {
      const close = window.close!;
      v.evidence.push({role: 'dma-unmap', deed: close});
      v.args.distance = close.t - drop.deed.t;
      // The stack of the unpin came after the unpin's own event.
      for (const s of v.stacks) if (s.role === 'unpin') s.stack = drop.deed.stack;
      v.reason ??= firstDoubt(tie(m, drop.deed, close), lost(m, drop.deed.t, close.t));
      if (v.reason) v.verdict = 'possible';
    }
  },
};

/** As the kernel's trace events print it. */
export function directionName(dir: number): string {
  return dir === DmaDir.bidirectional
    ? 'BIDIRECTIONAL'
    : dir === DmaDir.toDevice
      ? 'TO_DEVICE'
      : dir === DmaDir.fromDevice
        ? 'FROM_DEVICE'
        : 'unknown direction';
}
