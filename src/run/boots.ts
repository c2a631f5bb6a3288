/** Whether several traces can be of one boot of one machine: only those are read together. */
import {UserError} from '../io/user-error.js';
import type {Ledger} from '../ledger/ledger.js';

/** Facts of a header or a preamble that one boot has once, and what they are called. */
const FACTS: readonly [string, string][] = [
  ['kernel', 'kernel release'],
  ['machine', 'machine'],
  ['hostname', 'host'],
  ['boot_id', 'boot id'],
  ['clock', 'trace clock'],
];
/** No machine has struct pages for more than 64 TiB: 2^34 of them, of 64 bytes. */
const REACH = 2n ** 40n;

/**
 * Throws UserError where what the heads of two traces tell cannot both be true of one boot. `names` are those of the inputs, `trials`
 * what a trial run over each head told.
 */
export function refuseTwoBoots(names: readonly string[], trials: readonly Ledger[]): void {
  for (let i = 1; i < trials.length; i++) {
    const why = differs(trials[0]!, trials[i]!);
    if (why === null) continue;
    throw new UserError(`is of another boot than ${names[0]}: ${why}`, {
      where: names[i]!,
      next: `analyze them one by one:\n  ${names.map((name) => `pinscope analyze ${name}`).join('\n  ')}`,
    });
  }
}

function differs(a: Ledger, b: Ledger): string | null {
  for (const [fact, what] of FACTS) {
    const [one, other] = [a.capture.facts.get(fact), b.capture.facts.get(fact)];
    if (one !== undefined && other !== undefined && one !== other) return `${what} ${other}, not ${one}`;
  }
  if (
    a.capture.time.unit !== undefined &&
    b.capture.time.unit !== undefined &&
    a.capture.time.unit !== b.capture.time.unit
  )
    return 'its times are of another kind of clock';
  const [one, other] = [a.capture.identity, b.capture.identity].map((identity) => {
    const base = identity.base();
    return base === null ? null : {base: BigInt(base), proven: identity.proven};
  });
  if (!one || !other) return null;
  const apart = one.proven && other.proven ? one.base !== other.base : outOfReach(one, other) || outOfReach(other, one);
  return apart ? `its struct pages begin at 0x${other.base.toString(16)}, not 0x${one.base.toString(16)}` : null;
}

/** Whether pointers near an assumed base cannot be struct pages above a proven one. */
function outOfReach(proven: {base: bigint; proven: boolean}, assumed: {base: bigint}): boolean {
  return proven.proven && (assumed.base < proven.base || assumed.base - proven.base > REACH);
}
