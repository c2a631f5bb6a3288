/** A claim that waits to be proven, as small as it can be: thousands may wait. */
import type {Charge, Claim} from '../claims/claim.js';
import {type DmaWindow, endRole} from '../ledger/tables/dma.js';
import type {Excerpt} from '../ledger/tables/life.js';
import type {Moment} from '../ledger/moment.js';

/** Told of an error of a rule, and of the time of what it judged. */
export type Failed = (error: unknown, at: number) => void;

export class Waiting {
  readonly page: Moment;
  readonly at: number;
  private readonly says: Charge['says'];
  excerpt: Excerpt | undefined = undefined;
  /** windows it may be about that are not over yet */
  left = 0;
  /** it was told with the end of one of them, or never will be */
  done = false;
  /** the mapping whose end it waited for, once that is over */
  over: DmaWindow | undefined = undefined;
  /** when it was ready to be proven, in ms of the process's own clock */
  ready = 0;

  constructor(
    {page, at, says}: Charge,
    /** what hears of an error in what the rule says */
    readonly failed: Failed,
  ) {
    this.page = page;
    this.at = at;
    this.says = says;
  }

  /** The lines that it rests on so far. */
  get lines(): {input: number; line: number}[] {
    return this.says().evidence.map(({deed}) => deed);
  }

  /** All of it, with the end that it waited for. */
  claim(): Claim {
    const {page, at, excerpt, over} = this;
    // What is said becomes the claim: a copy of some twenty properties would cost more than all the rest.
    const claim = this.says() as Claim;
    claim.page = page;
    claim.at = at;
    claim.excerpt = excerpt;
    if (over !== undefined) {
      const close = over.close!;
      claim.end = close.t;
      claim.args.distance = close.t - at;
      (claim.args.facts ??= {}).end = over.endedBy!;
      claim.evidence.push({role: endRole(over), deed: close});
    }
    return claim;
  }
}
