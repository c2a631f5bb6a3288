import type {Said} from '../claims/claim.js';
import {counted, never, type Premise, told, wholeLife} from '../claims/premise.js';
import {EventKind as K} from '../events/event.js';
import {Fn} from '../events/functions.js';
import {type Listener, probeOf} from '../ledger/listener.js';
import {countsRecorded, momentOf} from '../ledger/moment.js';
import {UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import {BIAS} from '../base/reference.js';
import {liveLinks, mappedFor} from './live-links.js';
import type {Rule, RuleContext} from './types.js';

/** So many calls pinned more than their grabs show: a path of taking leaves no event, whatever page it is. */
const UNRECORDED = 5;
/** Most pages that are known to have been pinned in the trace. */
export const PINNED_MAX = 500_000;
/** Most tasks whose pins are followed as they come and go. */
const TASKS_MAX = 100_000;
/**
 * From one pin taken or dropped by a task to the next, where it does nothing else: so much and no more goes by in a loop over
 * pages, on a slow machine and with an interrupt between. In more the task may have pinned the page again, and its lines be lost.
 */
const AT_ONCE_NS = 200_000;

/** Pins that a task took and dropped one after the other. */
interface Run {
  since: number;
  last: number;
}

/** What is known of a page in this generation. */
interface Known {
  /** the task that pinned it, when it last took or dropped a pin of it, and the same of others that did, if any */
  pinner: number;
  last: number;
  others: Map<number, number> | undefined;
  /** a pin was dropped by another task than took it: where a taking is missing, that drop was its, and this pin is held still */
  byAnother: Deed | undefined;
}

/** When a task last took or dropped a pin; undefined where it took none. */
const lastOf = ({pinner, last, others}: Known, task: number): number | undefined =>
  pinner === task ? last : others?.get(task);

function note(known: Known, task: number, t: number): void {
  if (known.pinner === task) known.last = t;
  else (known.others ??= new Map<number, number>()).set(task, t);
}

export const unpinWithoutPin: Rule = {
  meta: {
    id: 'unpin-without-pin',
    title: 'had more unpins than pins, or an unpin of a plain reference',
    severity: 'error',
    needs: ['unpins'],
    helpedBy: [
      {need: 'counts', misses: 'unpins of pages older than the trace, which a negative count proves'},
      {need: 'pins', misses: 'excess unpins where no count is printed'},
    ],
    meaning:
      'unpin_user_page() takes 1024 from the count of a small folio. Without a pin to match, the count goes far below zero ' +
      "(or eats another user's pin, and that one's own unpin goes below zero later).",
    proof:
      'A negative count right after the unpin; or, where no counts are recorded, a page whose whole life is in the trace and ' +
      'has fewer pins than unpins.',
    premises: [
      {id: 'counted', says: 'the printed count shows it'},
      {id: 'whole-life', says: 'its life was seen from the beginning'},
      {id: 'told', says: 'every grab since then is of a known kind'},
      {id: 'told', says: 'the drop itself was seen'},
      {id: 'told', says: 'a task unpinned it, not the end of an I/O'},
      {id: 'told', says: 'who unpinned it had taken it'},
      {id: 'told', says: 'who dropped its pins had taken them'},
      {id: 'told', says: 'no I/O has pinned it once more for itself'},
      {id: 'told', says: 'takings of this page show'},
      {id: 'told', says: 'nothing of it was mapped before it was taken'},
      {id: 'told', says: 'its own I/O was over'},
      {id: 'told', says: 'no pause in which it was pinned again'},
      {id: 'told', says: 'it was not pinned besides'},
      {id: 'never', says: 'it was not taken in between'},
    ],
    lookAlikes: [
      'Pins from before the trace began: a page that is not seen from its allocation, with no count, is left alone.',
      'A page_ref value filter that hides fast pins (+1, +1023) and shows their unpins.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst; mm/gup.c sanity_check_pinned_pages()',
  },

  judge(context: RuleContext): Listener {
    const m = context.ledger;
    /** by row: of which a pin was seen in this generation */
    const pinnedHere = new Map<number, Known>();
    /** by task: its pins, as long as they come and go without a pause */
    const runs = new Map<number, Run>();
    /** rows that were mapped when a reference was taken, and for none that was seen */
    const mappedUnheld = new Set<number>();
    /** rows of which an I/O that ended dropped a pin in this generation */
    const unpinnedByIo = new Set<number>();
    /** there were more pages than are kept: of one that is in none of these nothing is known */
    let forgot = false;
    const addedPinsShow = (): boolean =>
      m.capture.era.foll === 'old' || m.capture.records(K.AddPin) || m.capture.coverage.covers(Fn.folio_add_pin);

    function keep(rows: Set<number>, row: number): void {
      if (rows.size < PINNED_MAX) rows.add(row);
      else if (!rows.has(row)) forget();
    }

    function forget(): void {
      forgot = true;
      m.capture.limits.hit('kept-by-rules');
    }

    /** A task took or dropped a pin. Answers since when it has done little else. */
    function runOf(task: number, t: number): number {
      let run = runs.get(task);
      if (run === undefined) {
        if (runs.size >= TASKS_MAX) runs.clear();
        runs.set(task, (run = {since: t, last: t}));
      } else if (t - run.last > AT_ONCE_NS) run.since = t;
      run.last = t;
      return run.since;
    }

    return {
      dropped(drop) {
        if (drop.kind !== 'pin') return;
        const {pages} = m;
        const {row} = drop;
        const large = pages.is(row, 'large');
        const known = pinnedHere.get(row);
        const {task} = drop.deed;
        // a name without a number, or one of too many, may be of several tasks
        const last = known && m.evidence.tasks.get(task).pid >= 0 ? lastOf(known, task) : undefined;
        const byAnother = known?.byAnother;
        if (known !== undefined && drop.unmatched === 0) {
          if (last !== undefined) note(known, task, drop.deed.t);
          if (drop.from.some(({reference}) => reference.task !== task)) known.byAnother ??= drop.deed;
        }
        const runSince = runOf(task, drop.deed.t);
        if (drop.endsIo) keep(unpinnedByIo, row);
        const printed = !large && drop.rawAfter !== UNKNOWN_COUNT;
        if (printed ? drop.rawAfter >= 0 : drop.unmatched === 0) return;
        const life = pages.is(row, 'lifeSeen');
        if (!printed) {
          if (!life && pages.pins[row] === 0 && !pages.is(row, 'pinsDerived') && !pinnedHere.has(row)) return;
          if (!m.takesSeen) return;
        } else context.explained.add(row);
        const get = getOf(row);
        // Where a path of taking is not recorded every unpin of its pins looks like one too many: something must speak for it.
        if (
          !printed &&
          m.probes.lastUnknownGrab < pages.since[row]! &&
          get === undefined &&
          (!pinnedHere.has(row) || m.capture.audit.incomplete('taken') >= UNRECORDED) &&
          m.capture.coverage.takingUncovered() !== null &&
          m.capture.audit.balanced === 0
        )
          return;
        const moment = momentOf(m, row);
        const raw = drop.rawAfter === UNKNOWN_COUNT ? null : drop.rawAfter;
        const since = pages.since[row]!;
        const premises: Premise[] = printed
          ? [counted(drop.deed, moment)]
          : [
              wholeLife(moment),
              told(
                'every grab since then is of a known kind',
                m.probes.lastUnknownGrab < since,
                'a grab since then may have been its pin: its flags could not be told before FOLL_PIN was known (--kernel)',
              ),
              // Calls nest (unpin_user_pages_dirty_lock() calls unpin_user_page() on some kernels): only the drop itself counts.
              told(
                'the drop itself was seen',
                countsRecorded(m) || m.capture.records(K.GupPut) || drop.certain,
                'gup_put_folio() is not probed: one unpin may show as two calls',
              ),
              told(
                'a task unpinned it, not the end of an I/O',
                (countsRecorded(m) && !large) || !drop.endsIo,
                large
                  ? "the unpin ends an I/O, and a large folio's count does not tell pins from other references: its pin may have been taken for another's"
                  : 'the unpin ends an I/O and no page_ref events back the probes: its pin may have left no event',
              ),
              told(
                'who unpinned it had taken it',
                countsRecorded(m) || last !== undefined || get?.task === task,
                'the unpin is of another task than those that pinned the page: it may end an I/O whose pin left no event',
              ),
              told(
                'who dropped its pins had taken them',
                countsRecorded(m) || byAnother === undefined,
                'another task dropped a pin that this one took: of a pin that left no event, maybe, and then this is none too many',
                ...(byAnother ? [byAnother] : []),
              ),
              told(
                'no I/O has pinned it once more for itself',
                countsRecorded(m) || !unpinnedByIo.has(row) || addedPinsShow(),
                'an I/O that ended unpinned the page before, and may have had a pin of its own: folio_add_pin() is not probed',
              ),
              told(
                'takings of this page show',
                get !== undefined || pinnedHere.has(row),
                'nothing of this page was seen to be taken in its life: one that left no event explains the unpin as well',
              ),
              told(
                'nothing of it was mapped before it was taken',
                countsRecorded(m) || !mappedUnheld.has(row),
                'a device had it mapped before it was taken by all that was seen: a pin that left no event explains that, and the unpin as well',
              ),
              told(
                'its own I/O was over',
                countsRecorded(m) || get === undefined || !mappedFor(m, row, get),
                'a device has it mapped for the plain reference still: a pin that left no event explains an unpin so early',
              ),
              told(
                'no pause in which it was pinned again',
                countsRecorded(m) || get !== undefined || last === undefined || last >= runSince,
                "the task paused since the page's pin before was dropped: another may have been taken in it, by lines that are lost",
              ),
              told(
                'it was not pinned besides',
                get === undefined || !pinnedHere.has(row) || countsRecorded(m),
                'the page was pinned too in this life, and a put leaves no event: another pin that left none explains the unpin as well',
              ),
              ...(large && m.held.excess.mayBeAdded(moment, drop.unmatched)
                ? [
                    told(
                      'it was not pinned besides',
                      false,
                      "the folio's count rose while it was pinned, by no probe that was seen: pins that are added to it do that (folio_add_pins(), iommufd)",
                    ),
                  ]
                : []),
              ...(forgot
                ? [
                    told(
                      'it was not pinned besides',
                      false,
                      'more pages were pinned and unpinned than are kept in mind: what happened to this one before is not known',
                    ),
                  ]
                : []),
              never('taken', moment, since, drop.deed.t, 'silence'),
            ];
        const pins = pages.pins[row]!;
        const probed = probeOf(drop);
        const says = (): Said => ({
          rule: 'unpin-without-pin',
          severity: 'error',
          pfn: drop.subKnown ? drop.sub : moment.pfn,
          order: !drop.subKnown && large ? moment.order : 0,
          span: large && drop.subKnown ? drop.n : 1,
          premises,
          start: drop.deed.t,
          end: drop.deed.t,
          deed: `${drop.deed.task}.${get !== undefined}`,
          args: {facts: {negative: printed, onGet: get !== undefined, count: raw ?? '', unmatched: drop.unmatched}},
          tasks: [
            ...(get && get.task >= 0 ? [{role: 'get', task: get.task}] : []),
            {role: 'unpin', task: drop.deed.task},
          ],
          stacks: [
            {role: 'get', stack: get?.stack ?? -1},
            {role: 'unpin', stack: drop.deed.stack},
          ],
          device: -1,
          evidence: [
            ...(get && get.line > 0 ? [{role: 'get', deed: get}] : []),
            ...(probed ? [{role: 'unpin', deed: probed}] : []),
            {role: 'unpin', deed: drop.deed},
          ],
          countsBefore: {
            raw: raw === null ? null : raw + (large ? 1 : BIAS) * drop.n,
            pins: pins + drop.n - drop.unmatched,
          },
          countsAfter: {raw, pins},
        });
        context.claim({page: moment, at: drop.deed.t, says});
      },
      taken(row, reference) {
        if (mappedForNobody(row, reference)) keep(mappedUnheld, row);
        if (reference.kind !== 'pin') return;
        if (pinnedHere.size >= PINNED_MAX && !pinnedHere.has(row)) {
          forget();
          return;
        }
        runOf(reference.task, reference.t);
        const known = pinnedHere.get(row);
        const {task, t} = reference;
        if (known === undefined) pinnedHere.set(row, {pinner: task, last: t, others: undefined, byAnother: undefined});
        else note(known, task, t);
      },
      lifeEnded(row) {
        pinnedHere.delete(row);
        unpinnedByIo.delete(row);
        mappedUnheld.delete(row);
      },
    };

    function mappedForNobody(row: number, {sub, n}: Reference): boolean {
      for (const {link} of liveLinks(m, sub >= 0 ? sub : m.pages.pfn[row]!, sub >= 0 ? n : 1))
        if (link.owner === 'none') return true;
      return false;
    }

    function getOf(row: number) {
      for (let r = m.pages.references[row]; r; r = r.next) if (r.kind === 'get') return r;
      return undefined;
    }
  },
};
