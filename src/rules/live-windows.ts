/** What the rules about DMA share: the live windows under a page, and findings that wait for a window's end. */
import type {DmaLink, DmaWindow} from '../ledger/tables/dma.js';
import {EventKind as K} from '../events/event.js';
import type {Model} from '../ledger/model.js';
import type {Violation} from './types.js';

/** Live windows on pages [first, first + n) that were opened for the page that lives there now. */
export function liveLinks(m: Model, first: number, n: number): Iterable<LiveLink> {
  // Nearly every drop and free is of one page that nobody has mapped.
  if (n === 1) {
    const page = m.pages.find(first);
    if (page < 0 || m.pages.dma[page] === undefined) return NO_LINKS;
  }
  return walkLinks(m, first, n);
}

interface LiveLink {
  pfn: number;
  page: number;
  link: DmaLink;
}

const NO_LINKS: readonly LiveLink[] = [];

function* walkLinks(m: Model, first: number, n: number): Iterable<LiveLink> {
  const {pages} = m;
  for (let i = 0; i < n; i++) {
    if ((i & 255) === 0 && n > 1) {
      m.limits.looks += Math.min(256, n - i);
      if (m.limits.tired(m.events)) return;
    }
    const page = pages.find(first + i);
    if (page < 0) continue;
    for (let link = pages.dma[page]; link; link = link.next) {
      if (link.generation === pages.generation[page]) yield {pfn: first + i, page, link};
    }
  }
}

/** A violation whose window is still open: its end and its certainty come with the unmap. */
interface Waiting {
  violation: Violation;
  finish(violation: Violation, window: DmaWindow): void;
}

/** Most violations that wait; those of the window that has waited longest are given up first. */
const WAITING_MAX = 100_000;

export class WaitingForUnmap {
  private readonly waiting = new Map<DmaWindow, Waiting[]>();
  private count = 0;

  constructor(
    private readonly m: Model,
    private readonly report: (violation: Violation) => void,
  ) {}

  add(window: DmaWindow, violation: Violation, finish: (violation: Violation, window: DmaWindow) => void): void {
    violation.journal = this.m.pages.journals[violation.row];
    const list = this.waiting.get(window);
    if (list) list.push({violation, finish});
    else this.waiting.set(window, [{violation, finish}]);
    this.count++;
    if (this.count <= WAITING_MAX) return;
    const [[oldest, given]] = this.waiting as unknown as [[DmaWindow, Waiting[]]];
    this.waiting.delete(oldest);
    this.count -= given.length;
    this.m.limits.hit('waiting', given.length);
  }

  closed(window: DmaWindow): void {
    const list = this.waiting.get(window);
    if (!list) return;
    this.waiting.delete(window);
    this.count -= list.length;
    for (const {violation, finish} of list) {
      violation.end = window.close!.t;
      finish(violation, window);
      this.report(violation);
    }
  }

  /**
   * Windows whose unmap never came: possible at most, and nothing where the device is never seen to unmap, or where the
   * recording was of some tasks only: unmaps come in interrupts, on whatever task is running.
   */
  ended(): void {
    const {m} = this;
    if (m.facts.has('pid_filter')) this.waiting.clear();
    for (const [window, list] of this.waiting) {
      const device = m.dma.devices[window.device];
      if (!window.iommuOnly && (device === undefined || device.unmaps === 0)) continue;
      if (window.iommuOnly && !m.records(K.IommuUnmap)) continue;
      for (const {violation} of list) {
        violation.verdict = 'possible';
        violation.reason ??= 'the unmap of the mapping was not seen';
        this.report(violation);
      }
    }
    this.waiting.clear();
  }
}
