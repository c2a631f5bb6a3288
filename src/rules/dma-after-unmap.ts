import {formatDuration} from '../base/duration.js';
import type {Said} from '../claims/claim.js';
import type {Moment} from '../ledger/moment.js';
import {told} from '../claims/premise.js';
import {DmaDir} from '../events/event.js';
import {Access} from '../events/kinds.js';
import type {Drop, Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import {translated} from '../ledger/tables/dma.js';
import type {EndedMapping, Fault, Found} from '../ledger/tables/faults.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {liveLinks} from './live-links.js';
import type {Rule, RuleContext} from './types.js';
import {directionName} from '../words/direction.js';

/** A mapping this short may be over before the fault that was made before it is reported: handlers of faults are threads. */
const REPORT_NS = 1_000_000;
/** Most faults of a log without times of the trace that are kept until its end. */
const UNTIMED_MAX = 10_000;
/** So many unpins of pages that were mapped still are kept at least, and no more than twice as many. */
const EARLY_MIN = 5000;

export const dmaAfterUnmap: Rule = {
  meta: {
    id: 'dma-after-unmap',
    title: 'was touched by a device after its mapping had ended, as an IOMMU fault shows',
    severity: 'error; note where the address was never mapped in the trace',
    needs: ['iommu-fault', 'dma-map', 'dma-unmap'],
    helpedBy: [{need: 'unpins', misses: 'who unpinned the page'}],
    meaning:
      'The device went on with a buffer that its driver had given back. The IOMMU stopped this access; without one, or a moment ' +
      'earlier (unmaps are flushed in batches by default), the device reads or writes memory that others own.',
    proof:
      'The map and the unmap of the address for that device, and the fault on it after the unmap, with no map of it in between.',
    premises: [
      {id: 'unmapped', says: 'the mapping was over then, and the address was not mapped again'},
      {id: 'told', says: 'the device of the fault is that of the mapping'},
      {id: 'not-mapped', says: 'no mapping of the address is in the trace'},
      {id: 'told', says: 'when the fault was'},
      {id: 'told', says: 'the address had no entry'},
      {id: 'told', says: 'the mapping had allowed this access'},
      {id: 'told', says: 'the access came after this mapping'},
      {id: 'told', says: 'the page is the one at that address'},
    ],
    lookAlikes: [
      'A fault on an address that is mapped still: a device that writes what it may only read. No finding.',
      'A fault against the direction of the mapping (a write to TO_DEVICE) just after the unmap: reported as possible only, since it may have been made before.',
      "Fault lines in a kernel log: the log's times are not the trace's, so these are possible only.",
      'A coherent buffer (dma_alloc_*) is no mapping that is followed: a fault on one is a note, and without iommu:map it may have had the address of a mapping that ended: possible only.',
      'A mapping of which only iommu:map tells: it names no device, and another domain may have the same address.',
    ],
    kernelDoc: 'include/trace/events/iommu.h; Documentation/core-api/dma-api.rst',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    /** unpins of pages under a mapping of theirs that a fault may be in, by the line of the map and the page; and those before them */
    let early = new Map<string, Deed>();
    let earlier = early;
    const untimed: Fault[] = [];

    function never(fault: Fault): void {
      if (m.dma.windows.opened === 0 && m.dma.past.forgotten === 0) return; // no mappings are recorded
      const {deed, device, deviceName} = fault;
      const page = nowhere(deed);
      const says = (): Said => ({
        ...common(fault),
        severity: 'note',
        pfn: -1,
        span: 0,
        premises: [{id: 'not-mapped', fault: deed}, ...ofLog(fault)],
        deed: `${deviceName}.never`,
        args: {facts: {mapped: false, device: deviceName, address: hex(fault.address), access: accessName(fault)}},
        tasks: [],
        stacks: [],
        device,
        evidence: [{role: 'fault', deed}],
      });
      context.claim({page, at: deed.t, says});
    }

    function ended(fault: Fault, found: Found & {state: 'ended'}): void {
      const {mapping, pfn} = found;
      const {deed} = fault;
      const first = mapping.runs[0]!.pfn;
      const row = m.pages.row(pfn >= 0 ? pfn : first, deed.t);
      if (row < 0) return;
      const page = {...momentOf(m, m.pages.folioOf(row), row), pfn: pfn >= 0 ? pfn : first};
      const held = found.page >= 0 ? (mapping.holders[found.page] ?? []) : [];
      const pin: Reference | undefined = held.find((r) => r.kind === 'pin');
      const key = keyOf(mapping, page.pfn);
      const unpin = pin?.dropped ?? early.get(key) ?? earlier.get(key);
      const distance = fault.untimed ? undefined : deed.t - mapping.close.t;
      const says = (): Said => ({
        ...common(fault),
        severity: 'error',
        pfn: page.pfn,
        premises: [
          {id: 'unmapped', mapping, fault, page},
          ofDevice(fault, mapping),
          ...against(fault, mapping),
          ...which(mapping, found),
        ],
        deed: `${fault.deviceName}.${mapping.close.task}`,
        args: {
          ...(distance === undefined ? {} : {distance}),
          facts: {
            mapped: true,
            address: hex(fault.address),
            access: accessName(fault),
            direction: directionName(mapping.dir),
            unpinned: unpin === undefined || fault.untimed ? '' : formatDuration(deed.t - unpin.t),
          },
        },
        tasks: [
          ...(pin && pin.task >= 0 ? [{role: 'pin', task: pin.task}] : []),
          {role: 'dma-unmap', task: mapping.close.task},
          ...(unpin === undefined ? [] : [{role: 'unpin', task: unpin.task}]),
        ],
        stacks: [
          {role: 'dma-map', stack: mapping.open.stack},
          {role: 'dma-unmap', stack: mapping.close.stack},
          {role: 'unpin', stack: unpin?.stack ?? -1},
        ],
        device: mapping.device >= 0 ? mapping.device : fault.device,
        evidence: [
          ...(pin && pin.line > 0 ? [{role: 'pin', deed: pin}] : []),
          {role: 'dma-map', deed: mapping.open},
          {role: 'dma-unmap', deed: mapping.close},
          ...(unpin === undefined ? [] : [{role: 'unpin', deed: unpin}]),
          {role: 'fault', deed},
        ],
      });
      context.claim({page, at: deed.t, says});
    }

    function judge(fault: Fault): void {
      const found = m.dma.mappingAt(fault);
      if (found.state === 'ended') ended(fault, found);
      else if (found.state === 'never') never(fault);
    }

    return {
      dropped(drop: Drop) {
        if (drop.kind !== 'pin') return;
        for (const {pfn, link} of liveLinks(m, drop.sub, drop.subPages)) {
          if (!translated(link.window, m.capture.pageSize.bytes)) continue;
          if (early.size >= EARLY_MIN) [earlier, early] = [early, new Map()];
          early.set(keyOf(link.window, pfn), drop.deed);
        }
      },
      faulted(fault) {
        if (!fault.untimed) judge(fault);
        else if (untimed.length < UNTIMED_MAX) untimed.push(fault);
        else m.capture.limits.hit('kept-by-rules');
      },
      ended() {
        // A log says that they were, not when: every mapping that ended in the trace may have ended before.
        for (const fault of untimed.splice(0)) judge(fault);
      },
    };
  },
};

/** A page of a mapping, by the line of its map. */
const keyOf = ({open}: {open: Deed}, pfn: number): string => `${open.input}.${open.line}.${pfn}`;

type Common = Pick<Said, 'rule' | 'order' | 'start' | 'end' | 'countsBefore' | 'countsAfter'>;

function common({deed}: Fault): Common {
  return {
    rule: 'dma-after-unmap',
    order: 0,
    start: deed.t,
    end: deed.t,
    countsBefore: null,
    countsAfter: null,
  };
}

/** Domains of devices have addresses of their own: the fault is of the mapping where both name one device. */
function ofDevice(fault: Fault, mapping: EndedMapping) {
  const both = fault.deviceName !== '' && mapping.device >= 0;
  return told(
    'the device of the fault is that of the mapping',
    both,
    fault.deviceName === ''
      ? 'the fault names no device: another one may have the same address'
      : 'the mapping is known from an iommu:map event only, which names no device: another one may have the same address',
    mapping.open,
    fault.deed,
  );
}

function ofLog(fault: Fault) {
  if (!fault.untimed) return [];
  const why = "the fault is told by the kernel's log, whose times are not those of the trace: when it was is not known";
  return [told('when the fault was', false, why, fault.deed)];
}

/** What the mapping did not allow, the device may have tried while it was there, and the report came late. */
function against(fault: Fault, {dir}: EndedMapping) {
  if (fault.access >= 0 && (fault.access & Access.present) !== 0) {
    const why = 'the IOMMU had an entry for the address: the access may have been one that the mapping forbade';
    return [told('the address had no entry', false, why, fault.deed)];
  }
  if (dir === DmaDir.bidirectional || dir === DmaDir.unknown) return [];
  const allowed =
    fault.access < 0 ? undefined : (fault.access & Access.write) !== 0 ? DmaDir.fromDevice : DmaDir.toDevice;
  if (allowed === dir) return [];
  const why =
    'the mapping may not have allowed this access: it can have been made while the mapping was there, and reported late';
  return [told('the mapping had allowed this access', false, why, fault.deed)];
}

/** The address was mapped twice, the second time for a moment: the fault may be of what was before. */
function which({open, close}: EndedMapping, {before, pfn}: Found & {state: 'ended'}) {
  const out = [];
  if (before !== undefined && close.t - open.t < REPORT_NS) {
    const why = `it may have been made before this mapping, after the one that the unmap at line ${before.close.line} ended, and reported late`;
    out.push(told('the access came after this mapping', false, why, before.close));
  }
  if (pfn < 0)
    out.push(
      told('the page is the one at that address', false, 'which page of the list had the address is not printed', open),
    );
  return out;
}

function accessName({access}: Fault): string {
  if (access < 0) return 'touched';
  return (access & Access.write) !== 0 ? 'wrote to' : 'read';
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

/** No page: the address had none in the trace. */
function nowhere(fault: Deed): Moment {
  return {
    pfn: -1,
    row: -1,
    generation: -1,
    large: false,
    order: 0,
    lifeSeen: false,
    since: fault.t,
    count: null,
    counted: false,
    pins: 0,
    gets: 0,
    kind: 'unknown',
    swapBacked: false,
    file: undefined,
    entered: undefined,
  };
}
