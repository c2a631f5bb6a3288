import {HOOKS, type Listener} from '../ledger/listener.js';

/**
 * A rule's judge that takes nothing down with it: an error in it ends that rule, and the others go on.
 *
 * @param failed is told of the error, once
 */
export function guarded(judge: Listener, failed: (error: unknown) => void): Listener {
  const hears: Record<string, (...told: never[]) => void> = {};
  let over = false;
  for (const hook of HOOKS) {
    const heard = judge[hook] as ((...told: unknown[]) => void) | undefined;
    if (heard === undefined) continue;
    // Five things at most are told, and named: a list of them would be made for every event.
    hears[hook] = (a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown): void => {
      if (over) return;
      try {
        heard.call(judge, a, b, c, d, e);
      } catch (error) {
        over = true;
        failed(error);
      }
    };
  }
  return hears;
}
