/** What a trace is, from reading it once without judging it. */
import type {Law} from '../capture/audit.js';
import type {Capture} from '../capture/capture.js';
import {LAW_WORDS} from '../words/laws.js';
import {EventKind as K} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import {coverage, SOURCES} from '../proof/needs.js';
import type {CpuSpan, DeviceInfo, IdentityInfo, InfoReport, LossSpan, ProbeInfo, ToRecord} from '../results/info.js';
import {RULES, RULES_VERSION} from '../rules/registry.js';
import type {Need} from '../claims/rule-meta.js';
import {answerOf} from './answer.js';
import {basisOf, endingOf} from './basis.js';
import {Sights} from './certificates.js';
import {readTraces} from './read.js';
import type {Reading, ReadOptions} from './reading.js';
import {type Noun, nounOfAll, placed} from '../words/place.js';
import {timesOf} from '../words/times.js';

export interface InfoOptions extends ReadOptions {
  command: string[];
  version: string;
}

/** Reads the traces. Throws UserError for what cannot be read. */
export async function info(options: InfoOptions): Promise<InfoReport> {
  const sights = new Sights();
  const reading = await readTraces({...options, watch: sights}, () => []);
  const {ledger: m} = reading;
  const {inputs, ...basis} = basisOf(reading, options);
  const rules = coverage(m, RULES);
  const answer = answerOf(reading);
  const noun = nounOfAll(inputs);
  return {
    schema: 'pinscope.info/1',
    ...(answer === undefined ? {} : {answer}),
    ...basis,
    inputs: inputs.map((input, at) => {
      const {form, reader} = reading.inputs[at]!;
      const {outOfOrder, outOfOrderByCpu} = reader.counters;
      return {
        ...input,
        title: form.title,
        out_of_order: outOfOrder,
        out_of_order_on_cpu: outOfOrderByCpu.reduce((sum, n) => sum + (n ?? 0), 0),
      };
    }),
    cpus: cpusOf(reading),
    events: eventsOf(reading),
    certificates: sights.certificates(m),
    losses: lossesOf(m, noun),
    laws: lawsOf(m.capture, noun),
    identity: identityOf(m),
    devices: devicesOf(m),
    probes: probesOf(m),
    header: [...m.capture.facts].map(([name, value]) => ({name, value})),
    rules_version: RULES_VERSION,
    rules,
    record: toRecord(m),
    ...endingOf(reading),
  };
}

function cpusOf({ledger: m, inputs}: Reading): CpuSpan[] {
  const spans = new Map<number, {first: number; last: number}>();
  for (const {reader} of inputs) {
    const {firstTime, lastTime} = reader.counters;
    firstTime.forEach((first, cpu) => {
      if (Number.isNaN(first)) return;
      const span = spans.get(cpu);
      const last = lastTime[cpu]!;
      if (!span) spans.set(cpu, {first, last});
      else spans.set(cpu, {first: Math.min(span.first, first), last: Math.max(span.last, last)});
    });
  }
  const lost = new Map<number, number | null>();
  for (const [cpu, {markers, events, unknown}] of m.capture.losses.byCpu)
    if (markers > 0) lost.set(cpu, unknown > 0 ? null : events);
  return [...spans]
    .sort(([a], [b]) => a - b)
    .map(([cpu, {first, last}]) => ({cpu, ...timesOf(m, first, last), lost: lost.has(cpu) ? lost.get(cpu)! : 0}));
}

function eventsOf({ledger: m, inputs}: Reading): {name: string; count: number}[] {
  const sums = new Map<string, number>();
  for (const {reader} of inputs) {
    for (const [name, count] of reader.counters.eventsByName()) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  // what was recorded and did not happen
  for (const name of m.capture.recordedEvents) if (!sums.has(name)) sums.set(name, 0);
  return [...sums]
    .map(([name, count]) => ({name, count}))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

function lawsOf({audit}: Capture, noun: Noun): InfoReport['laws'] {
  return (Object.keys(LAW_WORDS) as Law[]).map((law) => {
    const first = audit.first.get(law);
    return {
      law,
      words: LAW_WORDS[law],
      broken: audit.broken.get(law) ?? 0,
      first: first === undefined ? null : {line: first.line, why: placed(first.why, noun)},
    };
  });
}

function lossesOf(m: Ledger, noun: Noun): LossSpan[] {
  return m.capture.gaps.all().map((gap) => ({
    cpu: gap.cpu >= 0 ? gap.cpu : null,
    ...timesOf(m, gap.from, gap.to),
    line: gap.line > 0 ? gap.line : null,
    why: placed(gap.why, noun),
  }));
}

function baseKnownBy({grade, teller, unproven, likely}: Capture['identity']): string {
  switch (grade) {
    case 'told':
      return teller === 'option' ? 'as given with --vmemmap' : 'said by the trace';
    case 'printed':
      return 'printed: kmem events name pages by pointer and PFN';
    case 'paired':
      return 'found from pairs of a pointer and a PFN of one page';
    case 'assumed':
      return likely
        ? 'pages that were pinned and the addresses that were mapped next agree on it: likely, and assumed'
        : 'a page pointer with its low 30 bits cleared, right on x86-64 with less than 64 GiB of memory: assumed';
    case 'none':
      return unproven > 0 ? 'page pointers name no page: their base is not known' : 'no page pointer had to be read';
  }
}

const SIZE_KNOWN_BY: Record<Capture['pageSize']['source'], string> = {
  option: 'as given with --page-shift',
  machine: 'its architecture has one size only',
  header: 'the trace header',
  release: "the kernel's name",
  base: 'struct pages begin where only x86-64 has them',
  offsets: 'offsets in files that are no multiples of a larger page',
  mappings: 'the addresses that pinned pages were mapped at',
  assumed: 'not known: assumed',
};

function identityOf(m: Ledger): IdentityInfo {
  const seen = (...kinds: number[]): boolean => kinds.some((kind) => m.capture.seen[kind]! > 0);
  const names: string[] = [];
  if (seen(K.RefSet, K.RefMod, K.RefModAndTest, K.RefModUnless, K.PageAlloc, K.PageFree)) names.push('PFN');
  const {grade, proven, confirmed, contradicted, unproven} = m.capture.identity;
  if (grade === 'assumed' || grade === 'paired' || confirmed + contradicted + unproven > 0)
    names.push('pointers to struct page');
  if (seen(K.DmaMap, K.DmaMapSg, K.IommuMap)) names.push('physical addresses of DMA mappings');
  if (seen(K.CacheAdd, K.CacheDelete)) names.push('file, inode and index');
  return {
    names,
    vmemmap_base: m.capture.identity.base(),
    known_by: baseKnownBy(m.capture.identity),
    grade,
    proven,
    confirmed,
    contradicted,
    page_size: m.capture.pageSize.bytes,
    page_size_known_by:
      m.capture.pageSize.conflict === undefined ? SIZE_KNOWN_BY[m.capture.pageSize.source] : 'the trace names two',
    page_size_proven: m.capture.pageSize.known,
  };
}

function devicesOf(m: Ledger): DeviceInfo[] {
  return m.dma.devices
    .map(({name, maps, unmaps}) => ({name, maps, unmaps, never_unmaps: maps > 0 && unmaps === 0}))
    .sort((a, b) => b.maps - a.maps);
}

function probesOf(m: Ledger): ProbeInfo {
  const both = m.capture.seen[K.GupPut]! > 0 && m.capture.seen[K.RefModAndTest]! > 0;
  return {
    missed_by_kernel:
      m.capture.facts.has('probe_hits') || m.capture.probesMissedByKernel > 0 ? m.capture.probesMissedByKernel : null,
    missed_seen: both ? m.typing.probesMissed : null,
    matched: m.probes.matched,
  };
}

/** Kinds of evidence that some rule lacks, most wanted first. */
function toRecord(m: Ledger): ToRecord[] {
  const wanted = new Map<Need, string[]>();
  for (const {meta} of RULES) {
    for (const need of new Set<Need>([...meta.needs, ...meta.helpedBy.map((h) => h.need)])) {
      if (!SOURCES[need].has(m)) wanted.set(need, [...(wanted.get(need) ?? []), meta.id]);
    }
  }
  return [...wanted]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([need, for_rules]) => ({need, events: SOURCES[need].events, advice: SOURCES[need].advice, for_rules}));
}
