/** `pinscope rules`: what the rules are, from their own words. */
import {SOURCES} from '../proof/needs.js';
import {RULES_RENDERERS} from '../report/rules/index.js';
import {PROVEN_BY} from '../words/premises.js';
import type {EvidenceSource, RulePage, RulesReport} from '../results/rules.js';
import {RULES, RULES_VERSION} from '../rules/registry.js';
import type {Need, RuleMeta} from '../claims/rule-meta.js';
import {ExitCode} from './exit.js';
import type {OutputOptions} from './options.js';
import {ruleNamed} from './rule-names.js';
import {produce} from './run.js';

/** All rules, or the one of `id`. Throws UserError for an id that is none. */
export async function runRules(
  id: string | undefined,
  options: OutputOptions<'table' | 'json'>,
  version: string,
): Promise<ExitCode> {
  const rules = id === undefined ? RULES : [ruleNamed(id)];
  const result: RulesReport = {
    schema: 'pinscope.rules/1',
    tool: {name: 'pinscope', version},
    rules_version: RULES_VERSION,
    rules: rules.map(({meta}) => pageOf(meta)),
  };
  return produce(options, RULES_RENDERERS[options.to], async () => ({result, code: ExitCode.clean}));
}

function pageOf(meta: RuleMeta): RulePage {
  return {
    id: meta.id,
    title: meta.title,
    severity: meta.severity,
    meaning: meta.meaning,
    proof: meta.proof,
    premises: meta.premises.map(({id, says}) => ({premise: id, says, proven_by: PROVEN_BY[id]})),
    look_alikes: [...meta.lookAlikes],
    needs: meta.needs.map(sourceOf),
    helped_by: meta.helpedBy.map(({need, misses}) => ({...sourceOf(need), misses})),
    kernel_doc: meta.kernelDoc,
  };
}

function sourceOf(need: Need): EvidenceSource {
  const {events, advice} = SOURCES[need];
  return {need, events, record: advice};
}
