/** The typed result of `pinscope diff`. `--to json` prints it as it stands (`pinscope.diff/1`). */
export interface DiffReport {
  schema: 'pinscope.diff/1';
  tool: {name: 'pinscope'; version: string};
  good: DiffSide;
  bad: DiffSide;
  /** rules that ran in one of the two only: their findings cannot be compared */
  rules_only_in: {good: string[]; bad: string[]};
  /** in order of importance */
  rows: DiffRow[];
  /** BAD has something that GOOD has not: exit status 1 */
  worse: boolean;
}

export interface DiffSide {
  path: string;
  traces: number;
  seconds: number;
  /** from the first pin to the last */
  busy_seconds: number;
  losses: number;
  /** calls that pin */
  deeds: number;
}

/**
 * `new`: in BAD only; `new?`: so, but GOOD may have missed it by chance; `gone`, `gone?` likewise; `more`, `fewer`, `longer`,
 * `shorter`: more than chance and than what matters; `~`: neither; `too few` to tell; `not comparable`: its rule ran in one only.
 */
export type DiffVerdict =
  'new' | 'new?' | 'gone' | 'gone?' | 'more' | 'fewer' | 'longer' | 'shorter' | '~' | 'too few' | 'not comparable';

export interface DiffRow {
  what: 'cause' | 'pins' | 'held' | 'unmap to unpin';
  /** cause, place, or device */
  name: string;
  severity: string | null;
  /** counts of deeds or findings; medians in ns of times */
  good: number | null;
  bad: number | null;
  /** bad to good, by exposure: a thousand deeds for causes, busy seconds for pins; null where one is none */
  ratio: number | null;
  /** P(longer in BAD), of times */
  effect: number | null;
  /** by itself, and as it has to be read among so many rows (Holm) */
  p: number | null;
  p_adjusted: number | null;
  verdict: DiffVerdict;
}
