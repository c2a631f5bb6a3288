/** Entries of the ledger as what happened to a page, one after the other, with words about each. */
import {DmaDir} from '../../events/event.js';
import type {Ledger} from '../../ledger/ledger.js';
import {HOW, Kind, KNOWN_BY, Mark, OWNERS, What} from '../../ledger/tables/entries.js';
import {UNKNOWN_COUNT} from '../../ledger/tables/page-table.js';
import type {Generation} from '../../results/history.js';
import {directionName} from '../../words/direction.js';
import {deviceText} from '../../words/file.js';

export interface Happening {
  /** as in LifeEntry.what */
  what: string;
  t: number;
  cpu: number;
  /** index into Tasks, -1 */
  task: number;
  /** one of Context */
  context: number;
  input: number;
  line: number;
  /** change of the raw count; NaN where it changes none */
  delta: number;
  /** count as printed after it; NaN not printed */
  raw: number;
  pins: number;
  large: boolean;
  /** PageFlag bits; -1 not printed */
  flags: number;
  /** mappings, counted from 0 on every kernel; NaN not printed */
  mappings: number;
  /** line of the folios_put_refs() call it is in; 0 none */
  batch: number;
  /** index into Stacks, -1 */
  stack: number;
  /** as in LifeEntry.kind */
  kind: string | null;
  knownBy: string | null;
  notes: string[];
  pair: {with: Happening; how: string} | null;
  /** line of its beginning, where that is not here; 0 none */
  began: number;
  /** which of the life's entries it is, counted from 1 */
  ordinal: number;
}

/** A life, or what is kept of it, as its kinds are told from. */
export interface Told {
  born: Generation['born'];
  order: number;
  happenings: Happening[];
}

const NAMES: Record<number, string> = {
  [What.allocated]: 'alloc',
  [What.freed]: 'free',
  [What.change]: 'change',
  [What.taken]: 'taken',
  [What.dropped]: 'dropped',
  [What.mapped]: 'dma-map',
  [What.unmapped]: 'dma-unmap',
  [What.completed]: 'dma-complete',
  [What.writebackBegun]: 'writeback-start',
  [What.writebackEnded]: 'writeback-end',
  [What.dirtied]: 'dirty',
  [What.cleaned]: 'clean',
  [What.frozen]: 'freeze',
  [What.unfrozen]: 'unfreeze',
  [What.set]: 'set',
  [What.enteredFile]: 'cache-add',
  [What.leftFile]: 'cache-delete',
  [What.refused]: 'refused',
  [What.marked]: 'mark',
};

const OWNED: Record<string, string> = {
  pin: 'made under a pin',
  get: 'made under a get_user_pages reference',
  writeback: "the writeback's own",
  ambiguous: "made under a pin, or the writeback's own",
  none: 'made under neither pin nor get',
};

/** What happened, oldest first; a deed that was understood later stands where it happened. */
export function happeningsOf(m: Ledger, ids: Iterable<number>): Happening[] {
  const {entries} = m.book;
  const byId = new Map<number, Happening>();
  for (const id of ids) byId.set(id, happening(m, id));
  for (const [id, h] of byId) {
    const beginning = entries.beginning[id]!;
    const from = entries.line[beginning] === h.began ? byId.get(beginning) : undefined;
    if (beginning === 0 || from === undefined) continue;
    const how = HOW[entries.how[id]!]!;
    h.pair = {with: from, how};
    from.pair ??= {with: h, how};
  }
  return inOrder([...byId.values()]);
}

function inOrder(happenings: Happening[]): Happening[] {
  const sorted = happenings.every((h, i) => i === 0 || h.t >= happenings[i - 1]!.t);
  return sorted ? happenings : happenings.sort((a, b) => a.t - b.t || a.ordinal - b.ordinal);
}

function happening(m: Ledger, id: number): Happening {
  const {entries} = m.book;
  const what = entries.what[id]!;
  const marks = entries.marks[id]!;
  const isReference = what === What.taken || what === What.dropped;
  const kind = isReference ? entries.kind[id]! : Kind.none;
  const line = entries.line[id]!;
  const counted = (marks & Mark.counted) !== 0;
  return {
    what: NAMES[what]!,
    t: entries.t[id]!,
    cpu: entries.cpu[id]!,
    task: entries.task[id]!,
    context: entries.context[id]!,
    input: entries.input[id]!,
    line,
    delta: known(entries.delta[id]!),
    raw: known(entries.raw[id]!),
    pins: entries.pins[id]!,
    large: (marks & Mark.large) !== 0,
    flags: counted ? entries.flags[id]! : -1,
    mappings: mappingsOf(m, entries.mapcount[id]!),
    batch: entries.batch[id] === 0 ? 0 : line - entries.batch[id]!,
    stack: entries.stack[id]!,
    kind: kind === Kind.pin ? 'pin' : kind === Kind.get ? 'get' : null,
    knownBy: kind === Kind.none ? null : KNOWN_BY[entries.known[id]!]!,
    notes: notesOf(m, id),
    pair: null,
    began: entries.began[id]!,
    ordinal: entries.ordinal[id]!,
  };
}

function known(count: number): number {
  return count === UNKNOWN_COUNT ? NaN : count;
}

/** `_mapcount` is printed as it stands (-1: none) or counted from 0, by the kernel. */
function mappingsOf(m: Ledger, mapcount: number): number {
  if (mapcount === UNKNOWN_COUNT) return NaN;
  return Math.max(0, m.capture.era.rawMapcount || mapcount === -1 ? mapcount + 1 : mapcount);
}

function notesOf(m: Ledger, id: number): string[] {
  const {entries} = m.book;
  switch (entries.what[id]!) {
    case What.allocated:
    case What.freed:
      return ofBlock(m, id);
    case What.taken:
    case What.dropped:
    case What.change:
      return [...ofChange(m, id), ...(entries.kind[id] === Kind.none ? [] : ofReference(m, id))];
    case What.set:
    case What.unfrozen:
      return [`to ${entries.n[id]}`];
    case What.frozen:
      return [
        (entries.marks[id]! & Mark.failed) !== 0
          ? `failed: it holds not just the ${entries.n[id]} expected`
          : `from ${entries.n[id]} to 0`,
      ];
    case What.refused:
      return [`${entries.n[id]! > 0 ? '+' : ''}${entries.n[id]} not done: the count was 0`];
    case What.mapped:
      return ofMapping(m, id);
    case What.unmapped:
      if ((entries.marks[id]! & Mark.part) !== 0) return [`${entries.detail[id]} bytes of its mapping`];
      return (entries.marks[id]! & Mark.uncertain) !== 0 ? ['or of another mapping of the same address'] : [];
    case What.marked:
      return [entries.texts.get(id)!];
    case What.completed:
      return ['the request it was made for is complete'];
    case What.writebackBegun:
      return (entries.marks[id]! & Mark.bound) !== 0 ? ['at or before this: the first event that prints the flag'] : [];
    case What.writebackEnded:
      return (entries.marks[id]! & Mark.bound) !== 0 ? ['at or before this: the first event without the flag'] : [];
    case What.dirtied:
      return (entries.marks[id]! & Mark.own) !== 0 ? ['by folio_clear_dirty_for_io() itself'] : [];
    case What.enteredFile:
    case What.leftFile:
      // a number that is not read to its end is none
      if (entries.extra[id] === -1) return [];
      return [
        `device ${deviceText(entries.extra[id]! >>> 0)}, inode ${entries.sub[id]}, page index ${entries.detail[id]}`,
      ];
    default:
      return [];
  }
}

function ofBlock(m: Ledger, id: number): string[] {
  const {n, marks, sub} = m.book.entries;
  const notes = n[id]! > 0 ? [`order ${n[id]}: ${2 ** n[id]!} pages`] : [];
  if ((marks[id]! & Mark.ofBlock) !== 0) notes.push(`freed with the block at 0x${sub[id]!.toString(16)}`);
  return notes;
}

/** What a page_ref event itself says. */
function ofChange(m: Ledger, id: number): string[] {
  const {entries} = m.book;
  const notes: string[] = [];
  if (entries.what[id] === What.change) notes.push('adds nothing');
  if ((entries.marks[id]! & Mark.lastReference) !== 0) notes.push('the last reference');
  if (entries.batch[id] !== 0) notes.push(`in the folios_put_refs() of line ${entries.line[id]! - entries.batch[id]!}`);
  if (entries.expected[id] !== UNKNOWN_COUNT)
    notes.push(`by the changes so far the count would be ${entries.expected[id]}: another CPU's change may be in it`);
  return notes;
}

function ofReference(m: Ledger, id: number): string[] {
  const {entries} = m.book;
  const marks = entries.marks[id]!;
  const n = entries.n[id]!;
  const notes: string[] = [];
  const taken = entries.what[id] === What.taken;
  if ((marks & Mark.before) !== 0) notes.push(`${n} from before the trace: the first count printed holds it`);
  else if ((marks & Mark.unseen) !== 0)
    notes.push(`${n} that no event showed: the count holds it, so events are missing`);
  else if (n > 1 && entries.delta[id] === UNKNOWN_COUNT) notes.push(`${n} at once`);
  if (entries.detail[id]! > 0) notes.push(`probe at line ${entries.detail[id]}`);
  notes.push(...(taken ? ofTaking(m, id) : ofDrop(m, id)));
  if ((marks & Mark.withdrawn) !== 0)
    notes.push('gone without a drop: the grab was undone, it was of another kind, or events are missing');
  return notes;
}

function ofTaking(m: Ledger, id: number): string[] {
  const {entries} = m.book;
  const n = entries.n[id]!;
  const flags = entries.extra[id]!;
  const {era} = m.capture;
  const names =
    flags < 0
      ? []
      : [
          era.isWrite(flags) ? 'FOLL_WRITE' : '',
          era.isLongterm(flags) ? 'FOLL_LONGTERM' : '',
          era.isRemote(flags) ? 'FOLL_REMOTE' : '',
        ].filter((name) => name !== '');
  const notes = names.length > 0 ? [names.join('|')] : [];
  if (entries.sub[id]! >= 0) {
    const more = n > 1 ? ` and ${n - 1} more` : '';
    notes.push(`of page 0x${entries.sub[id]!.toString(16)}${more} of the folio`);
  }
  return notes;
}

function ofDrop(m: Ledger, id: number): string[] {
  const {entries} = m.book;
  const n = entries.n[id]!;
  const unmatched = entries.extra[id]!;
  const kind = entries.kind[id] === Kind.pin ? 'pin' : 'get';
  const notes: string[] = [];
  if (unmatched > 0) {
    const all = unmatched === n ? '' : `${unmatched} of `;
    notes.push(`${all}${n > 1 ? `the ${n} drops` : 'a drop'} that no ${kind} in view explains`);
  }
  for (const part of entries.parts.get(id) ?? [])
    if (part.n < n) notes.push(part.line > 0 ? `${part.n} of line ${part.line}` : `${part.n} from before the trace`);
  return notes;
}

/** `pinbug.0 BIDIRECTIONAL, 4096 bytes`, and under what it was made. */
function ofMapping(m: Ledger, id: number): string[] {
  const {entries} = m.book;
  const device = m.dma.devices[entries.extra[id]!]?.name ?? 'IOMMU';
  const direction = entries.kind[id]! - 1;
  const parts = [device];
  if (direction !== DmaDir.unknown) parts.push(directionName(direction));
  if (entries.detail[id]! > 0) parts.push(`${entries.detail[id]} bytes`);
  if (entries.sub[id]! >= 0) parts.push(`page 0x${entries.sub[id]!.toString(16)} of the folio`);
  const notes = [parts.join(', '), OWNED[OWNERS[entries.known[id]!]!]!];
  if ((entries.marks[id]! & Mark.failed) !== 0) notes.push('the call failed: nothing was mapped');
  if ((entries.marks[id]! & Mark.withdrawn) !== 0) notes.push('inside the dma_map_*() call whose event follows');
  return notes;
}
