/**
 * What kind of reference each change of a count took or dropped, as far as the events around it tell. Pins and gets
 * are the ledger's; the rest is read here from call stacks, page flags, mapcounts and the page-cache events, and each says
 * by which it is known. What nothing tells stays `unknown`.
 *
 * The signs rest on mm/filemap.c, mm/swap.c, mm/memory.c and mm/rmap.c as read in 5.10 to 6.18.
 */
import {Context, PageFlag} from '../../events/event.js';
import {BIAS} from '../../base/reference.js';
import {functionOf} from '../../base/frames.js';
import type {Happening, Told} from './life.js';
import {actors, kindByStack} from './stack-kinds.js';

/** How many entries after a get are looked through for its put. */
const PUT_LOOKS = 5000;
/** How far apart, in happenings of the page, two halves of one deed may be. */
const NEAR = 8;
/** Unpaired takings looked at for one drop: a page of libc has thousands, and the near ones are right. */
const OPEN_MAX = 256;

/** Types the changes of one life, or of what is kept of it. `frames`: of a stack, innermost first. */
export function inferKinds(told: Told, frames: (stack: number) => readonly string[]): void {
  const {happenings, order} = told;
  /** changes of the count that print the page's state */
  const counts = happenings.filter((h) => h.flags >= 0);
  byStacks(happenings, frames);
  halvesOfPins(happenings);
  writebackEnds(counts);
  plainPuts(happenings);
  pageCache(happenings, 2 ** order);
  privateData(counts);
  lruBatches(counts);
  mappings(counts);
  transient(happenings);
  pairOldestFirst(happenings);
  allocation(told);
  for (const h of happenings) if (open(h)) h.kind = 'unknown';
}

/** A change whose kind nothing told so far. */
function open(h: Happening): boolean {
  return h.kind === null && (h.what === 'taken' || h.what === 'dropped');
}

function say(h: Happening, kind: string, knownBy: string): void {
  h.kind = kind;
  h.knownBy = knownBy;
}

function pair(taken: Happening, dropped: Happening, how: string): void {
  taken.pair ??= {with: dropped, how};
  dropped.pair ??= {with: taken, how};
}

function byStacks(happenings: Happening[], frames: (stack: number) => readonly string[]): void {
  for (const h of happenings) {
    if (h.stack < 0 || !open(h)) continue;
    const symbols = frames(h.stack).map(functionOf);
    const kind = kindByStack(symbols, h.what === 'taken');
    if (kind !== undefined) say(h, kind, 'stack');
    const who = actors(symbols).slice(0, 2);
    if (who.length > 0) h.notes.push(`in ${who.join(' < ')}`);
  }
}

/** A fast pin is +n and +1023n (5.9 on); an unpin of 5.9 to 5.17 is -(1024n-1) and -1 (mm/gup.c). */
function halvesOfPins(happenings: Happening[]): void {
  happenings.forEach((h, at) => {
    if (h.kind !== 'pin' || Number.isNaN(h.delta)) return;
    if (h.delta > 0 && h.delta % BIAS !== 0 && h.delta % (BIAS - 1) === 0) {
      const n = h.delta / (BIAS - 1);
      for (let i = at - 1; i >= 0 && i >= at - NEAR; i--) {
        const first = happenings[i]!;
        if (!open(first) || first.delta !== n || first.cpu !== h.cpu || first.task !== h.task) continue;
        say(first, 'pin', h.knownBy ?? 'delta');
        first.notes.push(`first half of the pin of line ${h.line}`);
        first.stack = -1; // the other half's says more
        return;
      }
    }
    if (h.delta < 0 && -h.delta % BIAS === BIAS - 1) {
      for (let i = at + 1; i < happenings.length && i <= at + NEAR; i++) {
        const second = happenings[i]!;
        if (!open(second) || second.delta !== -1 || second.cpu !== h.cpu || second.task !== h.task) continue;
        say(second, 'pin', h.knownBy ?? 'delta');
        second.notes.push(`second half of the unpin of line ${h.line}`);
        return;
      }
    }
  });
}

/** folio_end_writeback() holds the page while it clears the flag: +1 with `writeback`, then at once -1 without, on one CPU. */
function writebackEnds(counts: Happening[]): void {
  for (let i = 0; i + 1 < counts.length; i++) {
    const taken = counts[i]!;
    const dropped = counts[i + 1]!;
    if (!open(taken) || taken.delta !== 1 || (taken.flags & PageFlag.writeback) === 0) continue;
    if (!open(dropped) || dropped.delta !== -1 || dropped.cpu !== taken.cpu || dropped.task !== taken.task) continue;
    if (dropped.flags & PageFlag.writeback) continue;
    say(taken, 'writeback', 'flags');
    say(dropped, 'writeback', 'flags');
    pair(taken, dropped, 'the end of writeback holds the page while it clears the flag');
  }
}

/**
 * The ledger takes a get for put when the count leaves no room for it, which may be a drop too late. A drop before that
 * by the very task that took it, outside any batch, is the likelier put: the later one is then something else.
 */
function plainPuts(happenings: Happening[]): void {
  happenings.forEach((late, at) => {
    const get = late.pair?.with;
    if (late.kind !== 'get' || late.knownBy !== 'count' || late.what !== 'dropped' || !get) return;
    const from = happenings.lastIndexOf(get, at) + 1;
    const put = happenings
      .slice(from, Math.min(at, from + PUT_LOOKS))
      .find((h) => open(h) && h.delta === late.delta && h.task === get.task && h.batch === 0);
    if (!put || get.pair?.with !== late) return;
    say(put, 'get', 'guess');
    put.notes.push(`by the task that took it; by the count it is gone by line ${late.line}`);
    put.pair = {with: get, how: 'same task'};
    get.pair = {with: put, how: 'same task'};
    late.kind = late.knownBy = late.pair = null;
  });
}

/** The page cache takes its reference before mm_filemap_add_to_page_cache, and lets go after mm_filemap_delete_.... */
function pageCache(happenings: Happening[], pages: number): void {
  happenings.forEach((event, at) => {
    const add = event.what === 'cache-add';
    if (!add && event.what !== 'cache-delete') return;
    const step = add ? -1 : 1;
    for (let i = at + step, seen = 0; i >= 0 && i < happenings.length && seen < NEAR; i += step, seen++) {
      const h = happenings[i]!;
      if (h.delta !== (add ? pages : -pages) || h.task !== event.task || !(open(h) || h.kind === 'page-cache'))
        continue;
      if (open(h)) say(h, 'page-cache', 'event');
      h.notes.push(`with line ${event.line}`);
      return;
    }
  });
}

/** A reference goes with PG_private: taken before it is set, dropped after it is cleared (folio_attach_private()). */
function privateData(counts: Happening[]): void {
  for (let i = 0; i < counts.length; i++) {
    const h = counts[i]!;
    const has = (h.flags & PageFlag.private) !== 0;
    const next = counts[i + 1];
    const before = counts[i - 1];
    if (open(h) && h.delta === 1 && !has && next && (next.flags & PageFlag.private) !== 0) say(h, 'private', 'flags');
    if (open(h) && h.delta === -1 && !has && before && (before.flags & PageFlag.private) !== 0)
      say(h, 'private', 'flags');
  }
}

/** A new page waits for the LRU list in a per-CPU batch that holds it; the drain sets PG_lru, then lets go. */
function lruBatches(counts: Happening[]): void {
  // What is no batch's taking now will be none later: the next drop need not look at it again.
  let next = 0;
  counts.forEach((h, at) => {
    const before = counts[at - 1];
    if (!open(h) || h.delta !== -1 || !before) return;
    if ((h.flags & PageFlag.lru) === 0 || (before.flags & PageFlag.lru) !== 0) return;
    say(h, 'lru-batch', 'flags');
    const isBatch = (o: Happening): boolean => o.delta === 1 && open(o) && (o.flags & PageFlag.lru) === 0;
    while (next < at && !isBatch(counts[next]!)) next++;
    if (next >= at) return;
    const taken = counts[next]!;
    say(taken, 'lru-batch', 'flags');
    pair(taken, h, 'PG_lru came between');
  });
}

/** A drop with one mapping less than before, a taking with one more: printed with it, or right after it. */
function mappings(counts: Happening[]): void {
  const claim = (h: Happening, from: number, to: number): void => {
    say(h, 'mapping', 'count');
    h.notes.push(`mapped ${from} to ${to} times`);
  };
  counts.forEach((h, at) => {
    const before = counts[at - 1]?.mappings ?? NaN;
    if (!open(h) || (h.delta < 0 ? h.mappings >= before : h.mappings <= before) || Number.isNaN(h.mappings - before))
      return;
    claim(h, before, h.mappings);
  });
  counts.forEach((h, at) => {
    const next = counts[at + 1];
    if (!next || !open(h) || !(h.delta > 0) || next.kind === 'mapping' || !(next.mappings > h.mappings)) return;
    claim(h, h.mappings, next.mappings);
  });
}

/** What one task takes and lets go again, innermost pair first. */
function transient(happenings: Happening[]): void {
  const taken: Happening[] = [];
  for (const h of happenings) {
    if (h.context > Context.task || !(open(h) || (h.kind === 'transient' && h.pair === null))) continue;
    if (h.delta > 0) {
      taken.push(h);
      if (taken.length > OPEN_MAX) taken.shift();
      continue;
    }
    const at = taken.findLastIndex((t) => t.task === h.task && t.delta === -h.delta);
    if (at < 0) continue;
    const [from] = taken.splice(at, 1);
    for (const half of [from!, h]) if (half.kind === null) say(half, 'transient', 'guess');
    pair(from!, h, 'same task, last taken');
  }
}

/** A page is born with one reference, its allocator's: the first drop that no taking explains lets go of it. */
function allocation({born, happenings}: Told): void {
  if (born !== 'alloc') return;
  const [birth] = happenings;
  const h = happenings.find((o) => o.what === 'dropped' && o.delta === -1 && o.pair === null && open(o));
  if (!h || !birth) return;
  pair(birth, h, 'no other taking is left: it is the reference of the allocation');
  if (h.task === birth.task && h.mappings === 0) say(h, 'transient', 'guess');
}

/** The other kinds: references of one kind are alike, so which of them goes is a convention. */
function pairOldestFirst(happenings: Happening[]): void {
  const waiting = new Map<string, Happening[]>();
  for (const h of happenings) {
    if (h.kind === null || h.kind === 'pin' || h.kind === 'get' || h.pair !== null || Number.isNaN(h.delta)) continue;
    const key = `${h.kind}.${Math.abs(h.delta)}`;
    const list = waiting.get(key) ?? [];
    waiting.set(key, list);
    if (h.delta > 0) list.push(h);
    else {
      const from = list.shift();
      if (from) pair(from, h, list.length === 0 ? 'the only one of its kind' : 'same kind, oldest first');
    }
  }
}
