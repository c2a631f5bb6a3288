/** Of what can be recorded on a machine, for which rules that is enough: judged by the recording script. */
import {quote} from './frame.js';
import {GROUPS, RULE_NEEDS, type Group} from './groups.js';
import type {Choice, RecordOptions} from './options.js';

/** One of these must be there for a group to count as recorded; `page_ref_mod` stands for the seven page_ref events. */
const EVIDENCE: Record<Group, readonly string[]> = {
  take: ['try_grab_folio', 'try_grab_folio_fast', 'try_grab_page', 'try_grab_compound_head', 'page_ref_mod'],
  drop: ['gup_put_folio', 'put_compound_head', 'page_ref_mod'],
  get: ['try_grab_folio', 'try_grab_folio_fast', 'try_grab_page', 'try_grab_compound_head', 'page_ref_mod'],
  refs: ['page_ref_mod'],
  dma: ['dma_map_page', 'dma_map_phys', 'dma_map_page_attrs'],
  iommu: ['map'],
  requests: ['block_rq_complete'],
  writeback: ['__folio_start_writeback', '__test_set_page_writeback', 'page_ref_mod'],
  dirty: ['folio_mark_dirty', 'set_page_dirty'],
  life: ['mm_page_free'],
  file: ['mm_filemap_add_to_page_cache'],
  owner: ['io_uring_register'],
};

/** What to say of a group that is missing. */
const MISSING: Record<Group, string> = {
  take: 'no function that takes pins could be probed',
  drop: 'no function that drops pins could be probed',
  get: 'no function that takes references could be probed',
  refs: 'page_ref events need a kernel built with CONFIG_DEBUG_PAGE_REF',
  dma: 'neither dma events nor the DMA functions are there',
  iommu: 'no iommu events',
  requests: 'no block events: where a device skips the unmap, nothing shows when its DMA ends',
  writeback: 'no writeback function could be probed',
  dirty: 'folio_mark_dirty could not be probed',
  life: 'no kmem events',
  file: 'no filemap events',
  owner: 'no io_uring events',
};

/** `judge` says which rules the recording can serve; `wanted` which groups those that were chosen ask for. */
export function judgement(options: RecordOptions, choice: Choice): string {
  const groups = GROUPS.filter((group) => choice.groups.includes(group));
  const lines = options.rules.map((rule) => {
    const {needs = [], helps = []} = RULE_NEEDS[rule] ?? {};
    return `  "$1" ${rule} ${quote(needs.join(' '))} ${quote(helps.join(' '))}`;
  });
  return `# each_rule FUNCTION: calls it with every rule this script can record for, the groups that it needs, and those that help
each_rule() {
${lines.join('\n')}
}

# Which groups are there, and which rules that is enough for.
judge() {
  groups=
${groups.map((group) => `  look ${group} ${quote(MISSING[group])} ${EVIDENCE[group].join(' ')}`).join('\n')}
  can=
  each_rule rule
  say "can judge:\${can:- nothing}"
  [ -z "$cannot" ] || say "cannot:$cannot"
  [ -n "$can" ]
}

# look GROUP WHAT-TO-SAY-OF-ITS-LACK EVENTS
look() {
  wanted "$1" || return 0
  looked=$1
  lack=$2
  shift 2
  if got_any "$@"; then groups="$groups $looked"; else lacks "$lack"; fi
}

got_any() {
  for event in "$@"; do
    case " $got " in *" $event "*) return 0 ;; esac
  done
  return 1
}

lacks() {
  fact missing "$1"
  say "not recorded: $1"
}

# rule ID GROUPS
# shellcheck disable=SC2317 # called by each_rule
rule() {
  chosen "$1" || return 0
  for need in $2; do
    case " $groups " in
      *" $need "*) ;;
      *)
        cannot="$cannot $1 ($need)"
        fact rule "$1 no $need"
        return
        ;;
    esac
  done
  can="$can $1"
  if [ -n "$pids" ]; then fact rule "$1 partial pid-filter"; else fact rule "$1 yes"; fi
}

# ---- which rules, and so which events

# chosen RULE: with -r those that are named, else all
# shellcheck disable=SC2317 # called by each_rule
chosen() { case ",\${rules:-$1}," in *",$1,"*) ;; *) return 1 ;; esac; }

wanted_groups=
known_rules=
# shellcheck disable=SC2317 # called by each_rule
want() {
  known_rules="$known_rules $1"
  ! chosen "$1" || wanted_groups="$wanted_groups $2 $3"
}
wanted() { case " $wanted_groups " in *" $1 "*) ;; *) return 1 ;; esac; }

each_rule want
set -f
for rule in $(printf '%s' "$rules" | tr , ' '); do
  case " $known_rules " in
    *" $rule "*) ;;
    *) die "-r $rule: not a rule that this script records for; these are:$known_rules" ;;
  esac
done
set +f
`;
}
