import type {Said} from '../claims/claim.js';
import {
  before,
  held as isHeld,
  never,
  ofFile,
  owns,
  type Premise,
  stillHeld,
  told,
  underWriteback,
} from '../claims/premise.js';
import type {Listener} from '../ledger/listener.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {endRole} from '../ledger/tables/dma.js';
import {UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import type {Severity} from '../results/report.js';
import type {Rule, RuleContext} from './types.js';
import {howMapped} from '../words/direction.js';
import {throughBuffer} from './bounced.js';
import {type HeldWriteback, stillMapped, unwritten, watchWriteback, writesThrough} from './writeback.js';

/** What a pin was taken for. */
type Intent = 'write' | 'read' | 'unknown';

/** Of a page under writeback: when it met its pin, by which event, and what it was then. */
interface Circumstances {
  start: number;
  met: Deed;
  intent: Intent;
  order: number;
  /** the end of its mapping, if it had ended when the writeback had */
  close: Deed | undefined;
  /** that no device had it mapped, by what was known then */
  unmapped: Premise[];
}

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
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'still-held', says: 'the pin was held then'},
      {id: 'under-writeback', says: 'the writeback was running'},
      {id: 'of-file', says: 'the page was of a file'},
      {id: 'owns', says: "it was mapped for the pin's own I/O"},
      {id: 'never', says: 'it was not mapped in between'},
      {id: 'told', says: 'the disk was still reading the page'},
      {id: 'told', says: 'the pin was for writing'},
      {id: 'told', says: 'the device writes the page itself'},
      {id: 'told', says: 'no device had it mapped'},
      {id: 'before', says: 'its mapping was over'},
    ],
    lookAlikes: [
      'The device only reads (TO_DEVICE), or the pin was taken for reading: harmless, a note.',
      'An anonymous page: written to swap only, and reclaim skips pinned pages (6.5, 6.1-stable): a note.',
      'Writeback of another file, or before the pin, or after the unpin.',
    ],
    kernelDoc:
      'Documentation/core-api/pin_user_pages.rst; J. Kara, "Writeback of pinned pages" (20230209121046.25360-1-jack@suse.cz)',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    return watchWriteback(m, 'pin', (held) => {
      const {row, writeback, reference} = held;
      const start = Math.max(writeback.start.t, reference.t);
      const met = held.late ? reference : writeback.start;
      const intent = intentOf(held);
      const order = m.pages.order[row]!;
      const close = held.writable?.window.close;
      const unmapped = severityOf(held, intent) === 'warning' ? perhapsMapped(held, start) : [];
      context.claim({page: held.page, at: start, says: () => said(held, {start, met, intent, order, close, unmapped})});
    });

    /** What is claimed once the trace is read: by then it is known which mappings ended, and of which devices they do. */
    function said(was: HeldWriteback, {start, met, intent, order, close, unmapped: then}: Circumstances): Said {
      const perhaps = was.writable !== undefined && !stillMapped(m, was.writable, start) ? was.writable : undefined;
      const held = perhaps === undefined ? was : {...was, perhaps, writable: undefined};
      const {writeback, reference, writable, readable} = held;
      const severity = severityOf(held, intent);
      const moment = held.page;
      const {end} = writeback;
      const unmapped = perhaps === undefined ? then : severity === 'warning' ? perhapsMapped(held, start) : [];
      return {
        rule: 'writeback-while-pinned',
        severity,
        pfn: moment.pfn,
        order,
        premises: [
          isHeld([reference], moment),
          stillHeld(reference, moment, met, writable ?? readable),
          underWriteback(writeback, met, held.late, held.since ?? writable?.window.open, reference),
          ...(held.written && severity !== 'note'
            ? [
                told(
                  'the disk was still reading the page',
                  false,
                  'the mapping made for the writeback had ended before the pin: the disk was done, and the end of the writeback may be missing',
                ),
              ]
            : []),
          ...(writable && writable.window.open.t > start
            ? [underWriteback(writeback, writable.window.open, true)]
            : []),
          ...(severity === 'note' ? [] : [ofFile(moment, reference, writeback.start)]),
          ...(writable ? [owns(writable)] : []),
          ...throughBuffer(writable?.window),
          ...writesThrough(m, held),
          ...unmapped,
          ...(writable === undefined ? unwritten(m, held, start) : []),
          ...(writable === undefined && readable?.window.deviceWrites ? [owns(readable)] : []),
          ...(intent === 'unknown' && severity === 'warning' && !writable
            ? [
                told(
                  'the pin was for writing',
                  false,
                  'whether the pin was for writing is not known: no flags and no mapping were traced',
                ),
              ]
            : []),
        ],
        start,
        end: end?.t ?? NaN,
        deed: `${reference.task}.${writable?.window.device ?? readable?.window.device ?? -1}.${intent}.${held.late}`,
        args: {
          distance: start - reference.t,
          facts: {
            intent,
            late: held.late,
            exact: writeback.exact,
            anonymous: anonymous(held),
            mapped: writable !== undefined,
            direction: writable ? howMapped(writable.window) : readable ? 'TO_DEVICE' : '',
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
        device: writable?.window.device ?? readable?.window.device ?? -1,
        evidence: [
          ...(reference.line > 0 ? [{role: 'pin', deed: reference}] : []),
          ...(writable ? [{role: 'dma-map', deed: writable.window.open}] : []),
          {role: 'writeback-start', deed: writeback.start},
          ...(writable && close ? [{role: endRole(writable.window), deed: close}] : []),
          ...(end ? [{role: 'writeback-end', deed: end}] : []),
        ].sort((a, b) => a.deed.t - b.deed.t),
        countsBefore: null,
        countsAfter: {raw: held.countAtStart === UNKNOWN_COUNT ? null : held.countAtStart, pins: held.pinsAtStart},
      };
    }

    /** The page may be under a list of which the trace prints a part: then it is an error. */
    function perhapsMapped({reference, writeback, perhaps, page}: HeldWriteback, start: number): Premise[] {
      if (perhaps !== undefined) {
        const {open} = perhaps.window;
        const why = `the mapping at line ${open.line} was made under the pin, and when it ended is not known`;
        return [told('no device had it mapped', false, why, open)];
      }
      const end = writeback.end?.t ?? start;
      // a mapping under it that was over by then, by the clock of its CPU
      const {ioEnded} = reference;
      const ended =
        ioEnded !== undefined && ioEnded.t <= start ? [before('its mapping was over', ioEnded, writeback.start)] : [];
      return [...ended, ...mayBeOfCutList(reference, start, end), never('mapped', page, reference.t, end)];
    }

    function mayBeOfCutList(reference: Reference, start: number, end: number): Premise[] {
      const [window] = m.dma.made.cutLists.over(reference.task, start, end);
      if (window === undefined || window.open.t < reference.t) return [];
      const why = `its mapping may be among the ${window.cut} of its list that line ${window.open.line} does not print`;
      return [told('no device had it mapped', false, why, window.open)];
    }

    /** write, read, or unknown: what the pins were taken for. */
    function intentOf(held: HeldWriteback): Intent {
      let unknown = false;
      for (const {gupFlags} of held.references) {
        if (gupFlags < 0) unknown = true;
        else if (m.capture.era.isWrite(gupFlags)) return 'write';
      }
      return unknown ? 'unknown' : 'read';
    }

    /** Known by its flags, or by a whole life outside the page cache. What began under a pin is not reclaim's, and so a file's. */
    function anonymous({page, late}: HeldWriteback): boolean {
      return page.kind === 'anonymous' && (late || page.swapBacked);
    }

    function severityOf(held: HeldWriteback, intent: Intent): Severity {
      if (anonymous(held)) return 'note';
      if (held.writable) return 'error';
      if (intent === 'write') return 'warning';
      return intent === 'read' || held.readable ? 'note' : 'warning';
    }
  },
};
