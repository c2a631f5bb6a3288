/** Rule ids as people type them. */
import {UserError} from '../io/user-error.js';
import {RULES} from '../rules/registry.js';
import type {Rule} from '../rules/types.js';
import {nearest} from './values.js';

/** The rule of an id; throws UserError, naming what was probably meant. `where`: the flag it was given with. */
export function ruleNamed(id: string, where?: string): Rule {
  const rule = RULES.find((r) => r.meta.id === id);
  if (rule !== undefined) return rule;
  const meant = nearest(
    id,
    RULES.map((r) => r.meta.id as string),
  );
  throw new UserError(`there is no rule '${id}'`, {
    ...(where === undefined ? {} : {where}),
    next: meant === undefined ? 'pinscope rules lists them' : `did you mean ${meant}? (pinscope rules lists them all)`,
  });
}
