/**
 * A suppression file: known findings to leave out. One entry a line, of conditions that must all hold; `#` begins a
 * comment. A value with blanks is quoted.
 *
 *   rule=long-pin comm=qemu-system-x86          # pins guest memory by design
 *   rule=unpin-while-dma frame=vendor_dma_done device=0000:03:00.0
 */
import {UserError} from '../io/user-error.js';
import type {Finding} from '../results/report.js';
import {RULES} from '../rules/registry.js';

const KEYS = ['rule', 'comm', 'frame', 'device'] as const;
type Key = (typeof KEYS)[number];

interface Entry {
  text: string;
  conditions: Partial<Record<Key, string>>;
  hits: number;
}

export class Suppressions {
  /** findings left out */
  suppressed = 0;

  private constructor(private readonly list: Entry[]) {}

  /** Throws UserError, with the file and line, for what is no entry. */
  static parse(text: string, file: string): Suppressions {
    const list: Entry[] = [];
    text.split('\n').forEach((raw, i) => {
      const line = raw.replace(/(^|\s)#.*$/, '').trim();
      if (line !== '') list.push({text: line, conditions: conditionsOf(line, `${file}:${i + 1}`), hits: 0});
    });
    return new Suppressions(list);
  }

  /** Whether an entry covers the finding; the first that does counts it. */
  suppresses(finding: Finding): boolean {
    const entry = this.list.find(({conditions}) =>
      KEYS.every((key) => conditions[key] === undefined || holds(key, conditions[key], finding)),
    );
    if (!entry) return false;
    entry.hits++;
    this.suppressed++;
    return true;
  }

  entries(): {entry: string; hits: number}[] {
    return this.list.map(({text, hits}) => ({entry: text, hits}));
  }
}

function conditionsOf(line: string, where: string): Entry['conditions'] {
  const conditions: Entry['conditions'] = {};
  for (const [word] of line.matchAll(/[^\s="]+=(?:"[^"]*"|\S*)|\S+/g)) {
    const at = word.indexOf('=');
    const key = word.slice(0, at);
    const value = word.slice(at + 1).replace(/^"|"$/g, '');
    if (at < 1 || value === '' || !KEYS.includes(key as Key)) {
      throw new UserError(`'${word}' is no condition`, {where, next: `use ${KEYS.map((k) => `${k}=...`).join(', ')}`});
    }
    if (key === 'rule' && !RULES.some((r) => r.meta.id === value)) {
      throw new UserError(`there is no rule '${value}'`, {where, next: 'see pinscope rules'});
    }
    conditions[key as Key] = value;
  }
  return conditions;
}

function holds(key: Key, value: string, finding: Finding): boolean {
  switch (key) {
    case 'rule':
      return finding.rule === value;
    case 'comm':
      return finding.tasks.some((t) => t.comm === value);
    case 'device':
      return finding.device === value;
    case 'frame':
      return finding.stacks.some((s) =>
        s.frames.some((f) => f === value || f.startsWith(`${value}+`) || f.startsWith(`${value} `)),
      );
  }
}
