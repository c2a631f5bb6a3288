import type {Charge} from '../claims/claim.js';
import type {RuleMeta} from '../claims/rule-meta.js';
import type {Explained} from './explained.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Listener} from '../ledger/listener.js';

/** What a rule is given. */
export interface RuleContext {
  readonly ledger: Ledger;
  readonly longPin_ns: number;
  /** pages whose leaks other findings explain */
  readonly explained: Explained;
  claim(charge: Charge): void;
}

/** One rule: what it is, and its judge, which listens to the ledger. */
export interface Rule {
  meta: RuleMeta;
  judge(context: RuleContext): Listener;
}
