/** One table of everything that is wrong with a trace: what, how often, how bad, what to do. */
import type {Ledger} from '../ledger/ledger.js';
import type {Reading} from './reading.js';
import type {QualityCounter} from '../results/report.js';
import type {Limit} from '../base/limits.js';
import {MORE_NAMES} from '../../parsers/events/table.js';
import {LAW_WORDS} from '../words/laws.js';
import {LIMIT_WORDS} from '../words/limits.js';

/** Most devices that are named one by one. */
const DEVICES_NAMED = 20;

type Add = (id: string, severity: QualityCounter['severity'], count: number, message: string, advice: string) => void;

/** How far page pointers and addresses can be turned into pages. */
function qualityOfIdentity(m: Ledger, add: Add): void {
  const {identity, pageSize} = m.capture;
  const record = 'give --vmemmap, or record with pinscope record, which notes it';
  if (m.capture.lowPointers) {
    add(
      'pointers-not-read',
      'warning',
      1,
      'page pointers of s390 are not read, since they lie where no other kernel has its addresses: pins, unpins and writeback that only probes show are not seen',
      'record page_ref events (CONFIG_DEBUG_PAGE_REF), which name pages by number, and no probes',
    );
  } else if (identity.grade === 'assumed') {
    add(
      'vmemmap-assumed',
      'warning',
      1,
      `vmemmap_base is taken to be ${identity.base()}, ${
        identity.likely
          ? 'on which pages that were pinned and the addresses that were mapped next agree'
          : 'a page pointer with its low 30 bits cleared'
      }: nothing that rests on it is sure`,
      record,
    );
  } else if (identity.grade === 'none') {
    add(
      'vmemmap-unknown',
      'warning',
      identity.unproven,
      'page pointers that name no page: where struct pages begin is not known',
      record,
    );
  }
  add(
    'vmemmap-conflict',
    'warning',
    identity.conflict ? 1 : 0,
    'pointers to struct page have two bases that many pages agree on, or none that any two do: nothing that rests on them is sure',
    'analyse traces of different boots one by one; struct pages of another size than 64 bytes are not read',
  );
  add(
    'vmemmap-refuted',
    'warning',
    identity.refuted === undefined ? 0 : 1,
    `vmemmap_base was given as ${identity.refuted}; the trace's own pairs of a pointer and a PFN have ${identity.base()}, which is used`,
    'check --vmemmap',
  );
  const {era} = m.capture;
  add(
    'kernel-refuted',
    'warning',
    era.refuted ? 1 : 0,
    `the kernel was given as ${era.given}; the trace's own is another (${era.told}), which is used`,
    'check --kernel',
  );
  add(
    'page-shift-refuted',
    'warning',
    pageSize.refuted === undefined ? 0 : 1,
    `pages were given as of ${pageSize.refuted} bytes; the trace's own have ${pageSize.bytes}, which is used`,
    'check --page-shift',
  );
  const {clockRefuted} = m.capture;
  add(
    'clock-refuted',
    'warning',
    clockRefuted === undefined ? 0 : 1,
    `the clock was given as ${clockRefuted}; the trace says that it is ${m.capture.facts.get('clock')}, which is used`,
    'check --clock',
  );
  add(
    'vmemmap-contradicted',
    'note',
    identity.contradicted,
    'pairs of a page pointer and a PFN that do not fit vmemmap_base',
    'give --vmemmap if PFNs look wrong',
  );
  add(
    'page-size-assumed',
    'warning',
    pageSize.used && !pageSize.known ? 1 : 0,
    pageSize.conflict === undefined
      ? 'the page size is not known, 4096 is assumed: no finding about DMA is sure'
      : `the trace names two page sizes, ${pageSize.conflict}`,
    'give --page-shift (12 for 4 KiB, 14 for 16 KiB, 16 for 64 KiB)',
  );
}

/** `, 2242 of the 6680 entries that its header counts were read` */
function readText({missing, found, expected}: {missing: number; found: number; expected: number}): string {
  return missing > 0 ? `, ${found} of the ${expected} entries that its header counts were read` : '';
}

export function qualityOf(reading: Reading): QualityCounter[] {
  const {ledger: m, inputs} = reading;
  const out: QualityCounter[] = [];
  const add = (
    id: string,
    severity: QualityCounter['severity'],
    count: number,
    message: string,
    advice: string,
    cpu?: number,
  ): void => {
    if (count > 0) out.push({id, severity, count, ...(cpu === undefined ? {} : {cpu}), message, advice});
  };

  // Of a part that somebody shows, what is missing was never lost.
  const excerpt = m.capture.losses.cuts > 0 || inputs.some(({form}) => form.id === 'mail');
  for (const [law, count] of m.capture.audit.broken) {
    if (law === 'counts-add-up' || law === 'cpu-in-order') continue; // told as replay-mismatch, and as out-of-order
    add(
      `law-${law}`,
      'note',
      count,
      `places where the trace breaks a law that complete captures obey (${LAW_WORDS[law]}): ${excerpt ? 'what is shown is a part of it' : 'events are missing there without a mark'}`,
      excerpt
        ? 'ask for the whole trace: what was left out is not known'
        : 'pinscope info says where; record with larger buffers, and with --show-lost-events where perf prints',
    );
  }
  const bigger = 'record with a larger buffer (buffer_size_kb), or fewer events';
  let starts = 0;
  for (const [cpu, c] of [...m.capture.losses.byCpu].sort((a, b) => a[0] - b[0])) {
    starts += c.starts;
    const where = cpu >= 0 ? `of CPU ${cpu}` : 'of CPUs that are not named';
    const words =
      c.unknown > 0 ? `events ${where} were lost, ${c.unknown} times without a number` : `events ${where} were lost`;
    add(
      'lost-events',
      'warning',
      Math.max(c.events, c.markers),
      `${words} (${c.markers} markers)`,
      bigger,
      cpu >= 0 ? cpu : undefined,
    );
  }
  const cutShort = inputs.some(({input}) => input.cut !== undefined);
  add(
    'missing-entries',
    'warning',
    // of an input that ends early it is the same fact, told with its reason below
    cutShort ? 0 : m.capture.entries.missing,
    `entries that the header counts and the file does not have (${m.capture.entries.found} of ${m.capture.entries.expected})`,
    'analyse the whole file: what was filtered out or cut off may explain any finding',
  );
  add(
    'left-out',
    'warning',
    m.capture.losses.cuts,
    'places where who shows the trace left lines out',
    'ask for the whole trace: what was left out is not known',
  );
  if (m.capture.losses.overwritten) {
    add(
      'overwritten-start',
      'warning',
      m.capture.entries.overwritten,
      'older events were overwritten in the ring buffer: the trace begins in mid-life',
      bigger,
    );
  } else
    add(
      'overwritten-start',
      'warning',
      starts,
      'CPUs whose buffer began later than the trace: what was before is gone',
      bigger,
    );
  add(
    'left-out',
    'warning',
    m.capture.leftOut === undefined ? 0 : 1,
    `not all was recorded: ${m.capture.leftOut}`,
    'record every event, of all tasks and CPUs, without filters',
  );
  const symbols = m.capture.facts.get('symbols_moved');
  add(
    'symbols',
    'note',
    symbols === undefined ? 0 : 1,
    `symbols of the kernel are ${symbols}`,
    'give /proc/kallsyms of the boot that was recorded, read as root, with --kallsyms',
  );
  const pids = m.capture.facts.get('pid_filter');
  add(
    'some-tasks',
    'note',
    pids === undefined ? 0 : 1,
    `only some tasks were recorded (${pids}): what others and interrupts did to their pages is missing`,
    'record all tasks: without --pid, by perf with -a',
  );
  add(
    'one-task',
    'warning',
    m.capture.oneTask === undefined || pids !== undefined ? 0 : 1,
    `all events are of task ${m.capture.oneTask}: in a trace filtered by pid, what others did to its pages is missing`,
    'record without a filter, or count nothing as sure',
  );
  add(
    'probe-misses',
    'warning',
    m.capture.probesMissedByKernel,
    'probes that the kernel counted as missed (kprobe_profile)',
    'record page_ref events beside the probes',
  );

  for (const {input, reader} of inputs) {
    const {counters} = reader;
    const of = inputs.length > 1 ? ` in ${input.name}` : '';
    add(
      'unrecognised-lines',
      'warning',
      counters.unrecognised - counters.tooLong,
      `lines that were not understood${of}`,
      'see them with pinscope info; --from forces a form',
    );
    add(
      'torn-lines',
      'warning',
      counters.torn,
      `lines of events whose end is missing${of}: they say nothing for certain, and are not used`,
      'give the trace as it was recorded: `cut -c`, a terminal or two programs that wrote one file made this of it',
    );
    add(
      'long-lines',
      'warning',
      counters.tooLong,
      `lines longer than 1 MiB${of}, skipped`,
      'the input may not be a text trace',
    );
    add(
      'cut-last-line',
      'note',
      counters.lastLineCut && input.cut === undefined ? 1 : 0,
      `the last line${of} is cut`,
      'the copy may be incomplete',
    );
    if (input.cut !== undefined)
      add(
        'cut-input',
        'warning',
        1,
        `the input${of} ends early: ${input.cut}${inputs.length === 1 ? readText(m.capture.entries) : ''}`,
        `${input.cutAdvice}; what was read is analysed`,
      );
    const onCpu = counters.outOfOrderByCpu.reduce((sum, n) => sum + (n ?? 0), 0);
    add(
      'out-of-order',
      onCpu > 0 ? 'warning' : 'note',
      counters.outOfOrder,
      `events earlier than one before them${of}`,
      'tools that merge per-CPU buffers print some late; they were put into order',
    );
  }
  add(
    'too-late',
    'warning',
    reading.tooLate,
    'events that came too late to be put into order',
    'sort the trace by time',
  );

  add(
    'impossible-numbers',
    'warning',
    m.capture.unbelievable,
    'events with numbers that no kernel prints (a PFN, order, count or size out of all range), not used',
    'the input is damaged or edited',
  );
  add(
    'replay-mismatch',
    'warning',
    m.counts.mismatches,
    'counts that the events before do not explain',
    'events of these pages are missing without a mark; pinscope info says where, and what was recorded',
  );
  add(
    'missed-probes',
    'note',
    m.typing.probesMissed,
    'unpins that page_ref events show and no probe does',
    "kprobes that hit inside another probe's handler are skipped; page_ref events were used instead",
  );
  add(
    'unmatched-unmaps',
    'note',
    m.dma.windows.unmatched,
    'DMA unmaps whose map is not in the trace',
    'mapped before the trace began, or the map was lost',
  );
  add(
    'ambiguous-large',
    'note',
    m.typing.ambiguousLarge,
    "changes of large folios' counts that may be pins or plain references",
    'probe try_grab_* and gup_put_folio, or record stacks',
  );
  qualityOfIdentity(m, add);
  const neverUnmap = m.dma.devices
    .filter((device) => device.maps > 8 && device.unmaps === 0 && device.completions === 0)
    .map(({name, maps}) => ({name, maps}));
  const unnamed = neverUnmap.slice(DEVICES_NAMED);
  if (unnamed.length > 0)
    neverUnmap.splice(DEVICES_NAMED, unnamed.length, {
      name: `and ${unnamed.length} others: none of them`,
      maps: unnamed.reduce((sum, device) => sum + device.maps, 0),
    });
  for (const device of neverUnmap) {
    add(
      'never-unmaps',
      'note',
      device.maps,
      `device ${device.name} is never seen to unmap`,
      'its mappings have no end and are left out; drivers may skip the unmap when dma_need_unmap() is false',
    );
  }
  add(
    'open-mappings-forgotten',
    'warning',
    m.dma.forgotten,
    'DMA mappings given up because too many were open',
    'a device that never unmaps',
  );
  const reached = new Map<Limit, number>(m.capture.limits.reached());
  reached.set('pages', m.pages.refused);
  reached.set(
    'names',
    inputs.reduce((sum, {reader}) => sum + (reader.counters.eventsByName().get(MORE_NAMES) ?? 0), 0),
  );
  for (const [limit, count] of reached) {
    const {severity, message, advice} = LIMIT_WORDS[limit];
    add(`limit-${limit}`, severity, count, message, advice);
  }
  add(
    'histories-not-kept',
    'note',
    m.book.lives.refused + m.book.entries.refused,
    'changes of pages whose history was not kept, to bound memory',
    'use pinscope history --pfn for one page',
  );
  return out;
}
