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
    ...[...references].filter((r) => r.line > 0 || r.dropped !== undefined).map((r) => ofReference(m, r, DECIDES)),
    ...[...mappings].map((w) => ofMapping(m, w, DECIDES)),
    ...[...writebacks].map((w) => ofWriteback(m, w, DECIDES)),
  ]);
}

type Decides = Pick<Window, 'decides'>;
const DECIDES: Decides = {decides: true};
const BESIDE: Decides = {};

/** The spans of what began in a life. */
export function windowsBegun(m: Ledger, began: readonly (Reference | DmaWindow | Writeback)[]): Window[] {
  return sorted(
    began.map((of) =>
      of instanceof Reference
        ? ofReference(m, of, BESIDE)
        : of instanceof DmaWindow
          ? ofMapping(m, of, BESIDE)
          : ofWriteback(m, of, BESIDE),
    ),
  );
}

function sorted(windows: Window[]): Window[] {
  return windows.sort((a, b) => (a.start_line ?? 0) - (b.start_line ?? 0));
}

function ofWriteback(m: Ledger, w: Writeback, decides: Decides): Window {
  return span(
    m,
    {kind: 'writeback', label: `writeback by ${by(m, w.start.task)}`, ...decides},
    w.start,
    w.endUnseen ? undefined : w.end,
    w.exact ? 'writeback-start' : 'flags',
    'writeback-end',
  );
}

function ofReference(m: Ledger, reference: Reference, decides: Decides): Window {
  const {kind} = reference;
  const window = span(
    m,
    {kind, label: `${kind} by ${by(m, reference.task)}`, ...decides},
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

function ofMapping(m: Ledger, window: DmaWindow, decides: Decides): Window {
  const device = window.device >= 0 ? m.dma.devices[window.device]!.name : 'IOMMU';
  const end = window.certainEnd ? window.close : undefined;
  return span(
    m,
    {kind: 'dma', label: `${device} ${directionName(window.dir)}`, ...decides},
    window.open,
    end,
    'map',
    window.endedBy === 'completion' ? 'completion' : 'unmap',
  );
}

function span(
  m: Ledger,
  head: Pick<Window, 'kind' | 'label' | 'decides'>,
  from: Pick<Deed, 't' | 'input' | 'line'>,
  to: Deed | undefined,
  start_known: WindowEnd,
  end_known: WindowEnd,
): Window {
  return Object.assign(head, timesOf(m, from.t, to ? to.t : NaN), {
    input: from.input,
    start_line: from.line,
    end_line: to?.line ?? null,
    start_known,
    end_known: to ? end_known : ('unknown' as const),
  });
}

function by(m: Ledger, index: number): string {
  const {comm, pid} = m.evidence.tasks.get(index);
  return task(comm, pid);
}
