/** What the ledger tells of followed pages, noted in their lives. */
import type {DmaWindow} from '../../ledger/tables/dma.js';
import {DmaDir} from '../../events/event.js';
import type {Drop, Listener} from '../../ledger/listener.js';
import type {Reference} from '../../ledger/tables/references.js';
import type {Writeback} from '../../ledger/tables/writeback.js';
import type {Happening, Life} from './life.js';
import {Lives} from './lives.js';

const DIRECTIONS: Record<number, string> = {
  [DmaDir.bidirectional]: 'BIDIRECTIONAL',
  [DmaDir.toDevice]: 'TO_DEVICE',
  [DmaDir.fromDevice]: 'FROM_DEVICE',
};

export abstract class ToldLives extends Lives implements Listener {
  taken(row: number, reference: Reference): void {
    if (!this.follows(row)) return;
    const life = this.life(row);
    const {kind, knownBy} = reference;
    if (!Number.isFinite(reference.t)) {
      const h = this.happening(this.ev!, 'taken');
      h.kind = kind;
      h.knownBy = knownBy;
      h.notes.push(
        life.current
          ? `${reference.n} that no event showed: the count holds it, so events are missing`
          : `${reference.n} from before the trace: the first count printed holds it`,
      );
      this.openWindow(life, this.add(life, h), kind, reference, h);
      return;
    }
    const h = this.happeningOf(life, reference.input, reference.line) ?? this.deedWithoutCount(life, 'taken');
    if (!h) return;
    h.kind = kind;
    h.knownBy = knownBy;
    h.pins = this.m.pages.pins[row]!;
    const hint = this.ev && this.m.calls.hints[this.m.calls.slot(this.ev.cpu, this.ev.context)];
    if (
      hint &&
      hint.pid === this.ev!.pid &&
      hint.line !== reference.line &&
      hint.from === 'grab' &&
      knownBy === 'probe'
    )
      h.notes.push(`probe at line ${hint.line}`);
    if (reference.n > 1 && Number.isNaN(h.delta)) h.notes.push(`${reference.n} at once`);
    const flags = this.flagNames(reference.gupFlags);
    if (flags !== '') h.notes.push(flags);
    if (reference.sub >= 0 && reference.sub !== this.m.pages.pfn[row]) {
      const more = reference.n > 1 ? ` and ${reference.n - 1} more` : '';
      h.notes.push(`of page 0x${reference.sub.toString(16)}${more} of the folio`);
    }
    this.openWindow(life, life.current, kind, reference, h);
  }

  dropped(drop: Drop): void {
    const {row, deed, kind} = drop;
    if (!this.follows(row)) return;
    const life = this.life(row);
    const h = this.happeningOf(life, deed.input, deed.line) ?? this.deedWithoutCount(life, 'dropped');
    if (!h) return;
    h.kind = kind;
    h.knownBy = this.howDropped(drop, h);
    h.pins = this.m.pages.pins[row]!;
    if (drop.n > 1 && Number.isNaN(h.delta)) h.notes.push(`${drop.n} at once`);
    if (drop.probe) h.notes.push(`probe at line ${drop.probe.line}`);
    if (drop.unmatched > 0) {
      const all = drop.unmatched === drop.n ? '' : `${drop.unmatched} of `;
      h.notes.push(`${all}${drop.n > 1 ? `the ${drop.n} drops` : 'a drop'} that no ${kind} in view explains`);
    }
    for (const {reference, n} of drop.from) {
      const window = life.windowOf(reference);
      if (n < drop.n) h.notes.push(`${n} of line ${reference.line}`);
      if (!window) continue;
      if (Number.isFinite(reference.t)) {
        h.pair ??= {with: window.from, how: drop.paired};
        window.from.pair ??= {with: h, how: drop.paired};
      }
      if (reference.n === 0) life.closeWindow(window, h);
    }
  }

  withdrawn(reference: Reference): void {
    const life = this.lives.get(this.m.pages.pfn[reference.row]!);
    const opened = life?.opened(reference);
    if (!opened || reference.n > 0) return;
    const {window, generation} = opened;
    window.from.notes.push('gone without a drop: the grab was undone, it was of another kind, or events are missing');
    const {windows} = generation;
    // The grab that failed is nearly always the last thing that was opened.
    const at = windows.lastIndexOf(window);
    if (at >= 0) windows.splice(at, 1);
  }

  dmaOpened(window: DmaWindow): void {
    const {m} = this;
    for (const {life, pfn} of this.livesOf(window)) {
      const h = this.happening(this.ev!, 'dma-map');
      const device = window.device >= 0 ? m.dma.devices[window.device]!.name : 'IOMMU';
      const direction = DIRECTIONS[window.dir];
      const where = pfn === life.pfn ? '' : `page 0x${pfn.toString(16)} of the folio`;
      const bytes = window.size > 0 ? `${window.size} bytes` : '';
      h.notes.push([device, direction, bytes, where].filter((part) => part !== undefined && part !== '').join(', '));
      const owner = this.ownerWords(window, pfn);
      if (owner !== '') h.notes.push(owner);
      const label = [device, direction].filter((part) => part !== undefined).join(' ');
      this.openWindow(life, this.add(life, h), 'dma', window, h, label);
    }
  }

  dmaClosed(window: DmaWindow): void {
    const {partOf} = window;
    for (const {life} of this.livesOf(window)) {
      const opened = life.opened(partOf ?? window);
      const open = opened?.window;
      const h = this.happening(this.ev!, 'dma-unmap');
      if (open && partOf && this.covers(partOf, life)) h.notes.push(`${window.size} bytes of its mapping`);
      else if (open) {
        life.closeWindow(open, h);
        h.pair = {with: open.from, how: 'same address and direction'};
        open.from.pair = {with: h, how: 'same address and direction'};
      }
      // After the page is gone its mapping's end still belongs to it.
      if (!life.current && opened) opened.generation.happenings.push(h);
      else this.add(life, h);
    }
  }

  writebackStarted(row: number, writeback: Writeback): void {
    if (!this.follows(row)) return;
    const life = this.life(row);
    const h = this.happening(this.ev!, 'writeback-start');
    if (!writeback.exact) h.notes.push('at or before this: the first event that prints the flag');
    this.openWindow(life, this.add(life, h), 'writeback', writeback, h);
  }

  writebackEnded(row: number, writeback: Writeback): void {
    if (!this.follows(row) || !writeback.end) return;
    const life = this.life(row);
    const h = this.happening(this.ev!, 'writeback-end');
    if (!writeback.exact) h.notes.push('at or before this: the first event without the flag');
    const open = life.windowOf(writeback);
    if (open) {
      life.closeWindow(open, h);
      h.pair = {with: open.from, how: 'same page'};
      open.from.pair = {with: h, how: 'same page'};
    }
    this.add(life, h);
  }

  /** Whether a mapping from which parts were unmapped still covers a page of the folio. */
  private covers({runs, rows}: DmaWindow, life: Life): boolean {
    const first = life.pfn - runs[0]!.pfn;
    const pages = 2 ** this.m.pages.order[life.row]!;
    for (let i = Math.max(0, first); i < Math.min(rows.length, first + pages); i++) if (rows[i]! >= 0) return true;
    return false;
  }

  /** Lives that a mapping covers, each with the first followed page of it in the mapping. */
  private livesOf(window: DmaWindow): {life: Life; pfn: number}[] {
    const {pages} = this.m;
    const found = new Map<Life, number>();
    for (const run of window.runs) {
      for (const pfn of this.followed.within(run.pfn, run.pages)) {
        const row = pages.findFolio(pfn);
        if (row < 0) continue;
        const life = this.life(row);
        if (!found.has(life)) found.set(life, pfn);
      }
    }
    return [...found].map(([life, pfn]) => ({life, pfn}));
  }

  private ownerWords(window: DmaWindow, pfn: number): string {
    const {pages} = this.m;
    const row = pages.find(pfn);
    for (let link = row >= 0 ? pages.dma[row] : undefined; link; link = link.next) {
      if (link.window !== window) continue;
      const words = {
        pin: 'made under a pin',
        get: 'made under a get_user_pages reference',
        writeback: "the writeback's own",
        ambiguous: "made under a pin, or the writeback's own",
        none: 'made under neither pin nor get',
      };
      return words[link.owner];
    }
    return '';
  }

  private howDropped(drop: Drop, h: Happening): string {
    if (drop.probe || !(h.delta < 0)) return 'probe';
    if (drop.kind === 'pin') return h.large ? 'stack' : 'delta';
    return 'count';
  }

  private flagNames(flags: number): string {
    if (flags < 0) return '';
    const {era} = this.m.capture;
    const names = [
      era.isWrite(flags) ? 'FOLL_WRITE' : '',
      era.isLongterm(flags) ? 'FOLL_LONGTERM' : '',
      era.isRemote(flags) ? 'FOLL_REMOTE' : '',
    ];
    return names.filter((name) => name !== '').join('|');
  }
}
