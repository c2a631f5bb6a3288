import {EventKind as K} from '../events/event.js';
import type {Listener} from '../ledger/listener.js';
import {PageState, UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import type {Severity} from '../results/report.js';
import {countsRecorded, firstDoubt, kindDoubt, lost, unpinsDoubt} from './certainty.js';
import type {Rule, RuleContext, Violation} from './types.js';
import {directionName} from './unpin-while-dma.js';
import {type HeldWriteback, watchWriteback} from './writeback.js';

export const writebackWhilePinned: Rule = {
  meta: {
    id: 'writeback-while-pinned',
    title: 'of a file went under writeback while it held a pin',
    severity:
      'error with a device-writable mapping live inside the writeback; warning for a write pin without one in view; note otherwise',
    needs: ['pins', 'writeback'],
    helpedBy: [
      {
        need: 'dma-map',
        misses: "whether a device could write the page meanwhile: severity rests on the pin's flags alone",
      },
      {need: 'gup-flags', misses: 'whether the pin was taken for writing, where no mapping tells'},
    ],
    meaning:
      'The file system wrote the page out, and cleaned it, while a device could change it behind its back: folio_mkclean() ' +
      'write-protects page tables, not DMA. What reaches the disk may be torn, a checksum over it (btrfs, DIF/DIX, NFS, SMB) ' +
      'may not match, and what the device wrote after the cleaning is dirty data that the file system was not told of.',
    proof:
      'The pin, the start of writeback while it was held, and a mapping that lets the device write, live at some time within.',
    lookAlikes: [
      'The device only reads (TO_DEVICE), or the pin was taken for reading: harmless, a note.',
      'An anonymous page: written to swap only, and reclaim skips pinned pages (6.5, 6.1-stable): a note.',
      'Writeback of another file, or before the pin, or after the unpin.',
    ],
    kernelDoc:
      'Documentation/core-api/pin_user_pages.rst; J. Kara, "Writeback of pinned pages" (20230209121046.25360-1-jack@suse.cz)',
  },

  judge(context: RuleContext): Listener {
    const m = context.model;
    return watchWriteback(m, 'pin', (held) => {
      const {row, writeback, reference, writable, readable} = held;
      const start = Math.max(writeback.start.t, reference.t);
      const intent = intentOf(held);
      const [severity, doubt] = severityOf(held, intent);
      const reason = firstDoubt(
        doubt,
        kindDoubt(reference),
        reference.knownBy === 'count' ? 'its pin was taken before the trace began, or was not seen' : null,
        lost(m, Math.min(reference.t, writeback.start.t), Math.max(start, writable?.open.t ?? start)),
        held.late && writeback.exact && (!writeback.end || !m.records(K.WritebackEnd))
          ? 'the end of the writeback was not seen: it may have come before the pin'
          : null,
        unpinsDoubt(m, row),
        staleDoubt(held),
      );
      const end = writeback.end?.t ?? NaN;
      const violation: Violation = {
        rule: 'writeback-while-pinned',
        severity,
        verdict: reason ? 'possible' : 'sure',
        reason,
        pfn: m.pages.pfn[row]!,
        order: m.pages.order[row]!,
        row,
        generation: m.pages.generation[row]!,
        start,
        end,
        deed: `${reference.task}.${writable?.device ?? readable?.device ?? -1}.${intent}.${held.late}`,
        args: {
          distance: start - reference.t,
          facts: {
            intent,
            late: held.late,
            exact: writeback.exact,
            anonymous: held.swapBacked && !held.file,
            mapped: writable !== undefined,
            direction: writable ? directionName(writable.dir) : readable ? 'TO_DEVICE' : '',
          },
        },
        tasks: [
          ...(reference.task >= 0 ? [{role: 'pin', task: reference.task}] : []),
          {role: 'writeback', task: writeback.start.task},
        ],
        stacks: [
          {role: 'pin', stack: reference.stack},
          {role: 'writeback', stack: writeback.start.stack},
        ],
        device: writable?.device ?? readable?.device ?? -1,
        evidence: [
          ...(reference.line > 0 ? [{role: 'pin', deed: reference}] : []),
          ...(writable ? [{role: 'dma-map', deed: writable.open}] : []),
          {role: 'writeback-start', deed: writeback.start},
          ...(writable?.close ? [{role: 'dma-unmap', deed: writable.close}] : []),
          ...(writeback.end ? [{role: 'writeback-end', deed: writeback.end}] : []),
        ],
        countsBefore: null,
        countsAfter: {raw: held.countAtStart === UNKNOWN_COUNT ? null : held.countAtStart, pins: held.pinsAtStart},
        at: start,
      };
      violation.evidence.sort((a, b) => a.deed.t - b.deed.t);
      context.report(violation);
    });

    /** write, read, or unknown: what the pins were taken for. */
    function intentOf(held: HeldWriteback): 'write' | 'read' | 'unknown' {
      let unknown = false;
      for (const {gupFlags} of held.references) {
        if (gupFlags < 0) unknown = true;
        else if (m.era.isWrite(gupFlags)) return 'write';
      }
      return unknown ? 'unknown' : 'read';
    }

    function severityOf(held: HeldWriteback, intent: string): [Severity, string | null] {
      const {swapBacked, file, writable, readable} = held;
      if (swapBacked && !file) return ['note', null];
      if (writable) return ['error', null];
      if (intent === 'write') return ['warning', null];
      if (intent === 'read' || readable) return ['note', null];
      return ['warning', 'whether the pin was for writing is not known: no flags and no mapping were traced'];
    }

    /** With probes alone, an unpin in an interrupt can be missed: a pin whose I/O is long done may be gone. */
    function staleDoubt(held: HeldWriteback): string | null {
      const small = (m.pages.state[held.row]! & PageState.large) === 0;
      if (small && countsRecorded(m)) return null;
      if (held.writable && (!held.writable.close || held.writable.close.t >= held.writeback.start.t)) return null;
      return held.reference.ioDoneOutsideTask && m.records(K.GupPut)
        ? 'its I/O had ended in an interrupt before: a missed probe could hide the unpin'
        : null;
    }
  },
};
