/** What a finding tells of its page, and what `pinscope history` tells of it, are one telling. */
import {expect} from 'vitest';
import type {Ledger} from '../../src/ledger/ledger.js';
import {narrowAround} from '../../src/readers/history/narrow.js';
import {pagesOf} from '../../src/readers/history/report.js';
import type {Generation, LifeEntry, PageHistory} from '../../src/results/history.js';
import type {Finding, FindingPage, HistoryEntry, Window} from '../../src/results/report.js';

/** The lives of a page of a finding that the finding is about. */
function livesOf(lives: readonly PageHistory[], finding: Finding, {pfn, order}: FindingPage): Generation[] {
  const first = Number(pfn);
  const last = first + 2 ** order - 1;
  return lives.flatMap((page) =>
    page.generations.filter((generation) => {
      const head = Number(page.pfn);
      return head <= last && head + 2 ** generation.order > first && generation.findings.includes(finding.id);
    }),
  );
}

function bare(window: Window): Window {
  const copy = {...window};
  delete copy.decides;
  return copy;
}

/** What must be the same of an entry. */
function same({t_ns, cpu, task, pid, line, input, what, kind, delta, known_by, counts}: HistoryEntry): object {
  return {t_ns, cpu, task, pid, line, input, what, kind, delta, known_by, counts};
}

/** The file that the page was of at a moment, as the entries of its life tell. */
function fileAt(entries: readonly LifeEntry[], at: bigint | null): string | undefined {
  let file: string | undefined;
  for (const {what, note, t_ns} of entries) {
    if (at !== null && t_ns !== null && BigInt(t_ns) > at) break;
    if (what === 'cache-add') file = note?.split('; ')[0];
    if (what === 'cache-delete') file = undefined;
  }
  return file;
}

/** Which entry it is, in a life as in a finding. */
function nameOf({line, input, what}: HistoryEntry): string {
  return `${input} ${line} ${what}`;
}

/** Each by its name, the first of several. */
function named<T extends HistoryEntry>(entries: readonly T[]): Map<string, {entry: T; at: number}> {
  const names = new Map<string, {entry: T; at: number}>();
  entries.forEach((entry, at) => {
    const name = nameOf(entry);
    if (!names.has(name)) names.set(name, {entry, at});
  });
  return names;
}

/** Entries of a finding that follow each other do so in the life of the page. */
function inARow(history: readonly HistoryEntry[], entries: readonly LifeEntry[], where: string): void {
  const own = named(entries.filter(({what}) => what !== 'gap' && what !== 'mark'));
  history.forEach((entry, at) => {
    const before = history[at - 1];
    if (before === undefined || entry.what === 'folded' || before.what === 'folded') return;
    const steps = (own.get(nameOf(entry))?.at ?? -1) - (own.get(nameOf(before))?.at ?? -1);
    expect(steps, `${where}: from line ${before.line} to ${entry.line}`).toBe(1);
  });
}

/** Expects every finding of a trace to tell what history tells, of which the ledger followed every page. */
export function expectOneTelling(ledger: Ledger, findings: Finding[]): void {
  const about = (id?: string) => (page: PageHistory) =>
    page.generations.some((generation) =>
      id === undefined ? generation.findings.length > 0 : generation.findings.includes(id),
    );
  const lives = pagesOf(ledger, findings, false).filter(about());
  for (const finding of findings) {
    const where = `${finding.id} ${finding.rule}`;
    const own = finding.pages.map((page) => livesOf(lives, finding, page));
    finding.pages.forEach((page, at) => {
      const windows = own[at]!.flatMap((generation) => generation.windows);
      for (const window of page.windows ?? (at === 0 ? finding.windows : []))
        expect(windows, `${where} ${page.pfn}`).toContainEqual(bare(window));
    });
    const entries = (own[0] ?? []).flatMap((generation) => generation.entries);
    const byName = named(entries);
    const shown = finding.history.filter(({what}) => what !== 'folded');
    for (const entry of shown) {
      const other = byName.get(nameOf(entry))?.entry;
      if (entry.kind === 'unknown' && other?.known_by === 'guess' && !shown.some(({line}) => line === other.pair?.line))
        // a guess by another change of the same task, which is not among those that a finding keeps
        Object.assign(other, {kind: 'unknown', known_by: null});
      expect(other && same(other), `${where} line ${entry.line}`).toEqual(same(entry));
    }
    inARow(finding.history, entries, where);
    const around = named(
      narrowAround(structuredClone(lives.filter(about(finding.id))), finding).flatMap(({generations}) =>
        generations.flatMap((generation) => generation.entries),
      ),
    );
    for (const entry of shown) expect(around.has(nameOf(entry)), `${where} --around`).toBe(true);
    const at = finding.at_ns === null ? null : BigInt(finding.at_ns);
    const {file} = finding;
    const expected = fileAt(entries, at);
    if (expected !== undefined || file !== undefined)
      expect(file && `device ${file.dev}, inode ${file.ino}, page index ${file.index}`, where).toBe(expected);
  }
}
