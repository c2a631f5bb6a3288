/** The first thing to say of a trace on which no rule can run: why, and what to record. */
import {EventKind as K} from '../events/event.js';
import {FAMILY_OF} from '../events/kinds.js';
import {coverage} from '../proof/needs.js';
import {RULES} from '../rules/registry.js';
import {counted} from '../words/format.js';
import type {Reading} from './reading.js';

const RECORD =
  '`pinscope record -- COMMAND` records what is needed, `pinscope record --print` writes a script that does';
const BEFORE_AN_OOPS =
  'to have one, enable page_ref:*, dma:* and kmem:mm_page_* before it happens, with ftrace_dump_on_oops on the command line of the kernel';
/** Families of events that name pages. */
const ABOUT_PAGES = new Set(['pageRef', 'page', 'filemap', 'probe', 'dma', 'dmaProbe', 'dmaItem', 'iommu']);
/** Kinds of events that are named. */
const NAMES_SHOWN = 3;

/** One sentence; undefined where a rule can run. */
export function answerOf(reading: Reading): string | undefined {
  const {ledger, inputs} = reading;
  const m = ledger.capture;
  if (coverage(ledger, RULES).some((rule) => rule.status !== 'not-run')) return undefined;
  const which = inputs.length === 1 ? 'this trace' : 'these traces';
  const dumps = [...m.facts].filter(([name]) => name.startsWith('page_dump')).map(([, said]) => said);
  const said = dumps.length === 0 ? '' : `${dumps.slice(0, NAMES_SHOWN).join('; ')}. `;
  // the dump of a page in a log is no event of the trace
  const events = inputs.reduce((sum, {reader}) => sum + reader.counters.events, 0) - dumps.length;
  const logs = inputs.every(({form}) => form.id === 'dmesg');
  if (events <= 0) {
    if (reading.partial !== undefined) return `${said}No event of ${which} was read: ${reading.partial}`;
    if (m.facts.has('buffer_empty'))
      return `${said}The kernel's ftrace buffer was empty when it was dumped; ${BEFORE_AN_OOPS}`;
    if (logs) return `${said}There is no ftrace dump in this log; ${BEFORE_AN_OOPS}`;
    if (m.facts.get('entries_written') === '0')
      return `The buffer of ${which} was empty, no event was written to it: were events enabled? ${RECORD}`;
    return `${said}No event is in ${which}; ${RECORD}`;
  }
  const torn = inputs.reduce((sum, {reader}) => sum + reader.counters.torn, 0);
  if (torn > 0)
    return `${said}${counted(torn, 'line')} of ${which} ${torn === 1 ? 'has its end' : 'have their ends'} cut off, and what is left tells of no references; give the trace as it was recorded`;
  const about = m.seen.reduce((sum, n, kind) => sum + (ABOUT_PAGES.has(FAMILY_OF[kind]!.name) ? n : 0), 0);
  if (about === 0)
    return `${said}No event of ${which} is about pages${namesOf(reading)}, so nothing can be judged; ${RECORD}`;
  const kinds = about === m.seen[K.PageAlloc]! + m.seen[K.PageFree]! ? ' but their allocation and free' : '';
  return `${said}${counted(about, 'event')} of ${which} ${about === 1 ? 'names a page' : 'name pages'}, but none tells of references${kinds}, so nothing can be judged; ${RECORD}`;
}

/** ` (of sched_switch, irq_handler_entry and 3 more kinds)`, most first */
function namesOf({inputs}: Reading): string {
  const counts = new Map<string, number>();
  for (const {reader} of inputs)
    for (const [name, n] of reader.counters.eventsByName())
      if (n > 0 && !name.startsWith('(')) counts.set(name, (counts.get(name) ?? 0) + n);
  const names = [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  if (names.length === 0) return '';
  const more = names.length - NAMES_SHOWN;
  return ` (they are ${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and of ${counted(more, 'more kind')}` : ''})`;
}
