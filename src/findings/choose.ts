/** `--finding KEY` and `--around KEY`: the findings that a key, or how it begins, names. */
import {UserError} from '../io/user-error.js';
import type {Finding} from '../results/report.js';

/** Keys told when one names nothing. */
const TOLD = 3;

/** The full keys, in the order asked for; throws UserError for one that names no finding or several. */
export function chosenKeys(findings: readonly Finding[], asked: readonly string[], flag: string): string[] {
  return asked.map((key) => {
    const found = [...new Set(findings.filter((finding) => finding.key.startsWith(key)).map((finding) => finding.key))];
    if (found.length === 1) return found[0]!;
    if (found.length > 1) {
      throw new UserError(`${flag} ${key}: ${found.length} findings have keys that begin so`, {
        next: `one of: ${found.slice(0, 8).join(', ')}`,
      });
    }
    const near = findings.slice(0, TOLD).map((finding) => finding.key);
    throw new UserError(`${flag} ${key}: no finding has this key`, {
      next:
        near.length === 0
          ? 'there are no findings'
          : findings.length <= TOLD
            ? `there are ${findings.length}: ${near.join(', ')}`
            : `there are ${findings.length}: ${near.join(', ')}...; pinscope analyze --by deed --limit 0 lists them all`,
    });
  });
}
