/** Two ledgers' facts, row by row: what is new, gone, more, fewer, longer, shorter, and what cannot be told. */
import type {DiffRow, DiffVerdict} from '../results/diff.js';
import type {Facts} from './facts.js';
import {holm, mannWhitney, medianOf, poissonRatesP} from './statistics.js';

/** What is called a difference: so unlikely by chance (after Holm), and at least so large: 100,000 samples tell 1 % apart. */
const ALPHA = 0.01;
const RATIO_MIN = 1.2;
const EFFECT_MIN = 0.06;
/** Fewer than so many on both sides, or samples on either, tell nothing. */
const COUNT_MIN = 5;
const SAMPLES_MIN = 8;
/** Above it, that GOOD has none may be chance. */
const MISSED = 0.05;

interface Raw extends Omit<DiffRow, 'verdict' | 'p_adjusted'> {
  judge(adjusted: number): DiffVerdict;
}

export function compare(good: Facts, bad: Facts): DiffRow[] {
  const raw = [...causes(good, bad), ...pins(good, bad), ...times(good, bad)];
  const tested = raw.filter(({p}) => p !== null);
  const adjusted = new Map(holm(tested.map(({p}) => p!)).map((p, i) => [tested[i]!, p]));
  const rows = raw.map((row): DiffRow => {
    const p_adjusted = adjusted.get(row) ?? null;
    const {judge, ...told} = row;
    return {...told, p_adjusted, verdict: judge(p_adjusted ?? 1)};
  });
  return rows.sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict));
}

const ORDER: DiffVerdict[] = [
  'new',
  'new?',
  'more',
  'longer',
  'shorter',
  'fewer',
  'gone',
  'gone?',
  'not comparable',
  'too few',
  '~',
];

function* causes(good: Facts, bad: Facts): Iterable<Raw> {
  for (const name of new Set([...bad.causes.keys(), ...good.causes.keys()])) {
    const [a, b] = [good.causes.get(name), bad.causes.get(name)];
    const {severity, rule, takenBy} = (b ?? a)!;
    const counts = [(a?.sure ?? 0) + (a?.possible ?? 0), (b?.sure ?? 0) + (b?.possible ?? 0)] as const;
    const [ea, eb] = [exposure(good, takenBy), exposure(bad, takenBy)];
    const comparable = good.ran.has(rule) && bad.ran.has(rule);
    const p = comparable ? poissonRatesP(counts[0], ea, counts[1], eb) : null;
    const ratio = ratioOf(counts[0], ea, counts[1], eb);
    yield {
      ...{what: 'cause', name, severity, good: counts[0], bad: counts[1], ratio, effect: null, p},
      judge(adjusted) {
        if (!comparable) return 'not comparable';
        // A sure finding is proven; only p tells whether the other recording would have shown it.
        if (counts[0] === 0 && b!.sure > 0) return p! <= MISSED ? 'new' : 'new?';
        if (counts[1] === 0 && a!.sure > 0) return p! <= MISSED ? 'gone' : 'gone?';
        return changed(counts, ratio, adjusted);
      },
    };
  }
}

/** How often a cause could have shown: deeds of the place that takes, or all where it is no place of a taking. */
function exposure(facts: Facts, takenBy: string | null): number {
  const at = takenBy === null ? undefined : facts.places.get(takenBy)?.deeds;
  return at ?? facts.deeds;
}

function* pins(good: Facts, bad: Facts): Iterable<Raw> {
  for (const name of new Set([...bad.places.keys(), ...good.places.keys()])) {
    const counts = [good.places.get(name)?.deeds ?? 0, bad.places.get(name)?.deeds ?? 0] as const;
    const [ta, tb] = [good.busySeconds, bad.busySeconds];
    const p = ta > 0 && tb > 0 ? poissonRatesP(counts[0], ta, counts[1], tb) : null;
    const ratio = ratioOf(counts[0], ta, counts[1], tb);
    yield {
      ...{what: 'pins', name, severity: null, good: counts[0], bad: counts[1], ratio, effect: null, p},
      judge: (adjusted) => (p === null ? 'too few' : changed(counts, ratio, adjusted)),
    };
  }
}

function* times(good: Facts, bad: Facts): Iterable<Raw> {
  const pairs: [DiffRow['what'], string, Map<number, number> | undefined, Map<number, number> | undefined][] = [
    ...[...good.places].map(([name, {held}]): (typeof pairs)[number] => [
      'held',
      name,
      held,
      bad.places.get(name)?.held,
    ]),
    ...[...good.margins].map(([name, times]): (typeof pairs)[number] => [
      'unmap to unpin',
      name,
      times,
      bad.margins.get(name),
    ]),
  ];
  for (const [what, name, a, b] of pairs) {
    if (a === undefined || b === undefined || a.size === 0 || b.size === 0) continue;
    const {p, effect, na, nb} = mannWhitney(a, b);
    const [before, after] = [medianOf(a), medianOf(b)];
    const ratio = before === null || after === null ? null : after / before;
    yield {
      ...{what, name, severity: null, good: before, bad: after, ratio, effect, p},
      judge(adjusted) {
        if (Math.min(na, nb) < SAMPLES_MIN) return 'too few';
        if (adjusted >= ALPHA || Math.abs(effect - 0.5) < EFFECT_MIN) return '~';
        return effect > 0.5 ? 'longer' : 'shorter';
      },
    };
  }
}

function changed([a, b]: readonly [number, number], ratio: number | null, adjusted: number): DiffVerdict {
  if (Math.max(a, b) < COUNT_MIN) return 'too few';
  const large = ratio === null || ratio >= RATIO_MIN || ratio <= 1 / RATIO_MIN;
  if (adjusted >= ALPHA || !large) return '~';
  return ratio === null ? (b > a ? 'more' : 'fewer') : ratio > 1 ? 'more' : 'fewer';
}

function ratioOf(a: number, ea: number, b: number, eb: number): number | null {
  return a > 0 && b > 0 && ea > 0 && eb > 0 ? b / eb / (a / ea) : null;
}

/** Whether BAD has something that GOOD has not. */
export function isWorse(rows: readonly DiffRow[]): boolean {
  return rows.some(({what, verdict}) => what === 'cause' && ['new', 'new?', 'more'].includes(verdict));
}

/**
 * The status for `git bisect run`: 1 bad, 0 good, 125 cannot be told. Bad needs more than chance; good needs that BAD could
 * have shown what GOOD's rules look for: they ran, nothing was lost, and it has as many deeds as asked for.
 */
export function bisectStatus(rows: readonly DiffRow[], good: Facts, bad: Facts, deeds: number): 0 | 1 | 125 {
  const causesOf = rows.filter(({what}) => what === 'cause');
  if (causesOf.some(({verdict}) => verdict === 'new' || verdict === 'more')) return 1;
  if (causesOf.some(({verdict}) => verdict === 'new?' || verdict === 'not comparable')) return 125;
  const ran = [...good.ran].every((rule) => bad.ran.has(rule));
  return ran && bad.losses === 0 && bad.deeds >= deeds ? 0 : 125;
}
