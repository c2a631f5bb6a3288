/**
 * References, mappings and writebacks as spans, each with its own end as the ledger paired it: those that decide a finding
 * are the ones that its premises are about. Nothing is closed by "the first of its kind".
 */
import type {Claim} from '../claims/claim.js';
import type {Ledger} from '../ledger/ledger.js';
import {DmaWindow} from '../ledger/tables/dma.js';
import {type Deed, Reference} from '../ledger/tables/references.js';
import type {Writeback} from '../ledger/tables/writeback.js';
import type {Window, WindowEnd} from '../results/report.js';
import {directionName} from '../words/direction.js';
import {task} from '../words/format.js';
import {timesOf} from '../words/times.js';

const BEGINS = {pin: 'pin', get: 'get', dma: 'map', writeback: 'writeback-start'} as const;
const ENDS = {pin: 'unpin', get: 'put', dma: 'unmap', writeback: 'writeback-end'} as const;

export function windowsOf(m: Ledger, claim: Pick<Claim, 'premises'>): Window[] {
  const references = new Set<Reference>();
  const mappings = new Set<DmaWindow>();
  const writebacks = new Set<Writeback>();
  for (const premise of claim.premises) {
    switch (premise.id) {
      case 'held':
        for (const reference of premise.references) references.add(reference);
        break;
      case 'still-held':
        references.add(premise.reference);
        if (premise.link) mappings.add(premise.link.window);
        break;
      case 'owns':
        mappings.add(premise.link.window);
        break;
      case 'live':
        mappings.add(premise.window);
        break;
      case 'under-writeback':
        writebacks.add(premise.writeback);
    }
  }
  return sorted([
    ...[...references].filter((r) => r.line > 0 || r.dropped !== undefined).map((r) => ofReference(m, r)),
    ...[...mappings].map((w) => ofMapping(m, w)),
    ...[...writebacks].map((w) => ofWriteback(m, w)),
  ]).map(({kind, label, ...rest}) => ({kind, label, decides: true, ...rest}));
}

/** The spans of what began in a life. */
export function windowsBegun(m: Ledger, began: readonly (Reference | DmaWindow | Writeback)[]): Window[] {
  return sorted(
    began.map((of) =>
      of instanceof Reference ? ofReference(m, of) : of instanceof DmaWindow ? ofMapping(m, of) : ofWriteback(m, of),
    ),
  );
}

function sorted(windows: Window[]): Window[] {
  return windows.sort((a, b) => (a.start_line ?? 0) - (b.start_line ?? 0));
}

function ofWriteback(m: Ledger, w: Writeback): Window {
  return span(
    m,
    'writeback',
    `writeback by ${by(m, w.start.task)}`,
    w.start,
    w.endUnseen ? undefined : w.end,
    w.exact ? 'writeback-start' : 'flags',
    'writeback-end',
  );
}

function ofReference(m: Ledger, reference: Reference): Window {
  const {kind} = reference;
  const window = span(
    m,
    kind,
    `${kind} by ${by(m, reference.task)}`,
    reference,
    reference.dropped,
    BEGINS[kind],
    ENDS[kind],
  );
  if (reference.line <= 0) {
    window.start_line = null;
    window.start_known = 'before-trace';
  }
  return window;
}

function ofMapping(m: Ledger, window: DmaWindow): Window {
  const device = window.device >= 0 ? m.dma.devices[window.device]!.name : 'IOMMU';
  const end = window.certainEnd ? window.close : undefined;
  return span(
    m,
    'dma',
    `${device} ${directionName(window.dir)}`,
    window.open,
    end,
    'map',
    window.endedBy === 'completion' ? 'completion' : 'unmap',
  );
}

function span(
  m: Ledger,
  kind: Window['kind'],
  label: string,
  from: Pick<Deed, 't' | 'input' | 'line'>,
  to: Deed | undefined,
  start_known: WindowEnd,
  end_known: WindowEnd,
): Window {
  return {
    kind,
    label,
    ...timesOf(m, from.t, to ? to.t : NaN),
    input: from.input,
    start_line: from.line,
    end_line: to?.line ?? null,
    start_known,
    end_known: to ? end_known : 'unknown',
  };
}

function by(m: Ledger, index: number): string {
  const {comm, pid} = m.evidence.tasks.get(index);
  return task(comm, pid);
}
