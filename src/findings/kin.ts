/** Which findings are of one deed. */
import type {Finding} from '../results/report.js';
import {type Group, inOrder} from './group.js';

/** A finding, and what it was made of. */
export interface Kept {
  group: Group;
  finding: Finding;
}

/** Most kin that one finding names. */
const RELATED_MAX = 12;

/** Findings of different rules about one generation of a page that rest on a line in common, told of each other. */
export function relate(kept: readonly Kept[]): void {
  const byPage = new Map<string, Kept[]>();
  for (const one of kept) {
    for (const page of one.group.pages.values()) {
      const key = `${page.row}.${page.generation}`;
      const list = byPage.get(key);
      if (!list) byPage.set(key, [one]);
      else if (list.at(-1) !== one) list.push(one);
    }
  }
  const linesOf = new Map<Group, readonly string[]>();
  // Findings of several pages meet on each of them.
  const met = new Set<string>();
  for (const list of byPage.values()) {
    if (list.length < 2) continue;
    const who = list.map(({finding}) => finding.id).join(' ');
    if (met.has(who)) continue;
    met.add(who);
    relateWithin(list, linesOf);
  }
}

/** The lines of the trace that a finding's evidence names, oldest first. */
function namedLines({evidence}: Group): string[] {
  return inOrder(evidence).map(({deed}) => `${deed.input}.${deed.line}`);
}

/** Findings of one page: those that name the same line (a pin, a mapping) are of one deed. */
function relateWithin(list: readonly Kept[], linesOf: Map<Group, readonly string[]>): void {
  const byLine = new Map<string, Finding[]>();
  for (const {group, finding} of list) {
    let lines = linesOf.get(group);
    if (lines === undefined) linesOf.set(group, (lines = namedLines(group)));
    for (const line of lines) {
      const of = byLine.get(line);
      if (!of) byLine.set(line, [finding]);
      else if (of.length < RELATED_MAX) of.push(finding);
    }
  }
  for (const of of byLine.values()) {
    if (of.length < 2) continue;
    for (const a of of) {
      for (const b of of) {
        if (a !== b && a.rule !== b.rule && !a.related.includes(b.id) && a.related.length < RELATED_MAX)
          a.related.push(b.id);
      }
    }
  }
}
