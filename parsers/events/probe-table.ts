/**
 * The kernel functions whose probes mean something here, with their parameters in order, for probes that name arguments
 * by position (`arg1=`). Signatures by version: mm/gup.c 5.7 to 7.2, mm/page-writeback.c, kernel/dma/mapping.c.
 */

import {EventKind} from '../../src/events/event.js';
import {functionNumber} from '../../src/events/functions.js';
import {ascii} from '../bytes.js';
import {Key} from './keys.js';

/** What a return value says about success. */
export const ReturnShape = {
  /** a count or a negative error; nothing else known */
  plain: 0,
  /** pointer to the folio or NULL: try_grab_folio_fast (6.12), try_grab_folio (5.19 to 6.8) */
  folio: 1,
  /** pointer or NULL up to 6.8, 0 or a negative error from 6.12: try_grab_folio */
  folioOrErrno: 2,
  /** bool up to 6.1, 0 or a negative error from 6.5: try_grab_page */
  boolOrErrno: 3,
} as const;

export interface ProbeSpec {
  /** `fn` of its events (src/events/functions.ts) */
  readonly fn: number;
  readonly name: Uint8Array;
  readonly entryKind: EventKind;
  readonly returnKind: EventKind;
  /** Key of each parameter; Key.unknown for those nobody needs */
  readonly params: readonly number[];
  readonly returns: number;
  /** what its arguments mean: at its entry, and at its return */
  readonly entry: ProbeArguments;
  readonly exit: ProbeArguments;
}

/** What a function's signature says of the arguments of a probe on its entry or its return. */
export interface ProbeArguments {
  readonly fn: number;
  /** Key of `arg1=`, `arg2=`, ... */
  keyOf(index: number): number;
  readonly isReturn: boolean;
  readonly returns: number;
  /** its array parameter is a pointer to pointers: no page */
  readonly listOfPointers: boolean;
}

/** `struct page *` as first parameter, which may be a tail */
const P = Key.page;
/** `struct folio *`, or a page that is a head by contract */
const F = Key.folio;
const LIST = Key.pages;
const _ = Key.unknown;

const E = EventKind;
const GUP = [Key.start, Key.nr, Key.gupFlags, _];
const GUP_REMOTE = [_, Key.start, Key.nr, Key.gupFlags];
const GUP_UNLOCKED = [Key.start, Key.nr, _, Key.gupFlags];

const FUNCTIONS: readonly (readonly [string, EventKind, EventKind, readonly number[], number?])[] = [
  // 5.19 to 6.8 take a page (a tail at times), 6.12 a folio, under one name
  ['try_grab_folio', E.Grab, E.GrabReturn, [P, Key.refs, Key.gupFlags], ReturnShape.folioOrErrno],
  ['try_grab_folio_fast', E.Grab, E.GrabReturn, [P, Key.refs, Key.gupFlags], ReturnShape.folio],
  ['try_grab_compound_head', E.Grab, E.GrabReturn, [P, Key.refs, Key.gupFlags], ReturnShape.folio],
  ['try_grab_page', E.Grab, E.GrabReturn, [P, Key.gupFlags], ReturnShape.boolOrErrno],
  ['gup_put_folio', E.GupPut, E.OtherReturn, [F, Key.refs, Key.gupFlags]],
  ['put_compound_head', E.GupPut, E.OtherReturn, [F, Key.refs, Key.gupFlags]],
  ['folio_add_pin', E.AddPin, E.OtherReturn, [F]],
  ['folio_add_pins', E.AddPin, E.OtherReturn, [F, Key.refs]],

  ['unpin_user_page', E.UnpinCall, E.OtherReturn, [P]],
  ['unpin_user_pages', E.UnpinCall, E.OtherReturn, [LIST, Key.nr]],
  ['unpin_user_pages_dirty_lock', E.UnpinCall, E.OtherReturn, [LIST, Key.nr, Key.makeDirty]],
  ['unpin_user_page_range_dirty_lock', E.UnpinCall, E.OtherReturn, [P, Key.nr, Key.makeDirty]],
  ['unpin_user_folio', E.UnpinCall, E.OtherReturn, [F, Key.nr]],
  ['unpin_folio', E.UnpinCall, E.OtherReturn, [F]],
  ['unpin_folios', E.UnpinCall, E.OtherReturn, [LIST, Key.nr]],
  ['put_user_page', E.UnpinCall, E.OtherReturn, [P]],
  ['put_user_pages', E.UnpinCall, E.OtherReturn, [LIST, Key.nr]],
  ['put_user_pages_dirty', E.UnpinCall, E.OtherReturn, [LIST, Key.nr]],
  ['put_user_pages_dirty_lock', E.UnpinCall, E.OtherReturn, [LIST, Key.nr, Key.makeDirty]],

  ['pin_user_pages', E.PinCall, E.PinReturn, GUP],
  ['pin_user_pages_fast', E.PinCall, E.PinReturn, GUP],
  ['pin_user_pages_fast_only', E.PinCall, E.PinReturn, GUP],
  ['pin_user_pages_remote', E.PinCall, E.PinReturn, GUP_REMOTE],
  ['pin_user_pages_unlocked', E.PinCall, E.PinReturn, GUP_UNLOCKED],
  ['pin_user_pages_locked', E.PinCall, E.PinReturn, GUP],
  ['get_user_pages', E.GetCall, E.GetReturn, GUP],
  ['get_user_pages_fast', E.GetCall, E.GetReturn, GUP],
  ['get_user_pages_fast_only', E.GetCall, E.GetReturn, GUP],
  ['get_user_pages_remote', E.GetCall, E.GetReturn, GUP_REMOTE],
  ['get_user_pages_unlocked', E.GetCall, E.GetReturn, GUP_UNLOCKED],
  ['get_user_pages_locked', E.GetCall, E.GetReturn, GUP],

  ['bio_release_pages', E.BioRelease, E.OtherReturn, [_, Key.makeDirty]],
  ['__bio_release_pages', E.BioRelease, E.OtherReturn, [_, Key.makeDirty]],

  ['__folio_start_writeback', E.WritebackStart, E.OtherReturn, [F]],
  ['folio_start_writeback', E.WritebackStart, E.OtherReturn, [F]],
  ['__test_set_page_writeback', E.WritebackStart, E.OtherReturn, [P]],
  ['test_set_page_writeback', E.WritebackStart, E.OtherReturn, [P]],
  ['folio_end_writeback', E.WritebackEnd, E.OtherReturn, [F]],
  ['__folio_end_writeback', E.WritebackEnd, E.OtherReturn, [F]],
  ['end_page_writeback', E.WritebackEnd, E.OtherReturn, [P]],
  ['test_clear_page_writeback', E.WritebackEnd, E.OtherReturn, [P]],
  ['folio_clear_dirty_for_io', E.ClearDirtyForIo, E.OtherReturn, [F]],
  ['clear_page_dirty_for_io', E.ClearDirtyForIo, E.OtherReturn, [P]],
  ['folio_mark_dirty', E.MarkDirty, E.OtherReturn, [F]],
  ['__folio_mark_dirty', E.MarkDirty, E.OtherReturn, [F]],
  ['filemap_dirty_folio', E.MarkDirty, E.OtherReturn, [_, F]],
  ['block_dirty_folio', E.MarkDirty, E.OtherReturn, [_, F]],
  ['noop_dirty_folio', E.MarkDirty, E.OtherReturn, [_, F]],
  ['set_page_dirty', E.MarkDirty, E.OtherReturn, [P]],
  ['set_page_dirty_lock', E.MarkDirty, E.OtherReturn, [P]],
  ['__set_page_dirty_nobuffers', E.MarkDirty, E.OtherReturn, [P]],
  ['__set_page_dirty_buffers', E.MarkDirty, E.OtherReturn, [P]],

  ['__folio_put', E.FolioPutLast, E.OtherReturn, [F]],
  ['__put_page', E.FolioPutLast, E.OtherReturn, [P]],
  ['folios_put_refs', E.FoliosPut, E.OtherReturn, [_]],
  ['release_pages', E.FoliosPut, E.OtherReturn, [LIST, Key.nr]],

  ['dma_map_page_attrs', E.DmaMapEntry, E.DmaMapReturn, [Key.device, P, Key.offset, Key.size, Key.dir]],
  ['dma_map_phys', E.DmaMapEntry, E.DmaMapReturn, [Key.device, Key.physAddr, Key.size, Key.dir]],
  ['dma_unmap_page_attrs', E.DmaUnmap, E.OtherReturn, [Key.device, Key.dmaAddr, Key.size, Key.dir]],
  ['dma_unmap_phys', E.DmaUnmap, E.OtherReturn, [Key.device, Key.dmaAddr, Key.size, Key.dir]],
  // dma_map_sgtable and dma_map_sg_attrs both call __dma_map_sg_attrs: that one is left out, or every list counts twice
  ['dma_map_sg_attrs', E.DmaMapSgEntry, E.DmaMapSgReturn, [Key.device, _, Key.nents, Key.dir]],
  ['dma_map_sgtable', E.DmaMapSgEntry, E.DmaMapSgReturn, [Key.device, _, Key.dir]],
  ['dma_unmap_sg_attrs', E.DmaUnmapSgEntry, E.OtherReturn, [Key.device, _, Key.nents, Key.dir]],
];

const BY_NAME = new Map<string, ProbeSpec>();
for (const [name, entryKind, returnKind, params, returns] of FUNCTIONS) {
  const listOfPointers = params[0] === Key.pages || entryKind === E.PinCall || entryKind === E.GetCall;
  const fn = functionNumber(name);
  const shape = {fn, returns: returns ?? ReturnShape.plain, listOfPointers};
  BY_NAME.set(name, {
    fn,
    name: ascii(name),
    entryKind,
    returnKind,
    params,
    returns: shape.returns,
    entry: {...shape, isReturn: false, keyOf: (index) => params[index - 1] ?? Key.unknown},
    exit: {...shape, isReturn: true, keyOf: (index) => (index === 1 ? Key.ret : Key.unknown)},
  });
}

/** The function called so; `.isra.0`, `.constprop.1`, `.part.2` of the compiler do not count. */
export function probeOfSymbol(symbol: string): ProbeSpec | undefined {
  const dot = symbol.indexOf('.');
  return BY_NAME.get(dot > 0 ? symbol.slice(0, dot) : symbol);
}

/** How a name says that it is a return probe. */
const RETURN_MARK = /(?:_ret|_return|__return|_exit)$/;

/**
 * The function that an event's name alone points to, for payloads without a symbol (perf, trace-cmd): kprobe_events'
 * default `p_unpin_user_page_0`, perf probe's `unpin_user_page__return`, and names people give (`my_unpin_user_page` is
 * none of these: no guess).
 */
export function probeOfEventName(name: string): ProbeSpec | undefined {
  const bases = [name, name.replace(/^[pr]_/, '')];
  for (const base of bases) {
    for (const stem of [base, base.replace(/_\d+$/, '')]) {
      const spec =
        probeOfSymbol(stem) ??
        probeOfSymbol(stem.replace(RETURN_MARK, '')) ??
        probeOfSymbol(stem.replace(/_entry$/, ''));
      if (spec) return spec;
    }
  }
  return undefined;
}
