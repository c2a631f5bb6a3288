/** The typed result of `pinscope info`: what a trace is. `--to json` prints it as it stands (`pinscope.info/1`). */
import type {Report, ReportInput, RuleStatus} from './report.js';

export interface InfoReport extends Pick<
  Report,
  'tool' | 'command' | 'clock' | 'span' | 'kernel' | 'quality' | 'timing' | 'partial'
> {
  schema: 'pinscope.info/1';
  /** where no rule can run: one sentence that says why, and what to record */
  answer?: string;
  inputs: InfoInput[];
  /** in ascending order; CPUs without an event are left out */
  cpus: CpuSpan[];
  /** most first, over all inputs */
  events: {name: string; count: number}[];
  /** what the recording would have shown, an event or function a row */
  certificates: Certificate[];
  losses: LossSpan[];
  /** what a complete capture obeys: how often this one does not, and where first */
  laws: {law: string; words: string; broken: number; first: {line: number; why: string} | null}[];
  identity: IdentityInfo;
  /** that a DMA mapping names, most mappings first */
  devices: DeviceInfo[];
  probes: ProbeInfo;
  /** facts that the trace's header states */
  header: {name: string; value: string}[];
  rules_version: string;
  rules: RuleStatus[];
  /** what to record for the rules that did not run, or ran in part */
  record: ToRecord[];
}

export interface InfoInput extends ReportInput {
  /** the form in words */
  title: string;
  /** events earlier than one before them; on the same CPU */
  out_of_order: number;
  out_of_order_on_cpu: number;
}

/** Where an event or function is certified: what it shows did not happen there unless it is in the trace, losses apart. */
export interface Certificate {
  event: string;
  /** in words: `pins and gets taken` */
  shows: string;
  /** `announced`: the recording says that it records it, everywhere; `sight`: from the first to the last of each CPU */
  known_by: 'announced' | 'sight';
  count: number;
  /** first and last by CPU, in ascending order; -1: the trace does not say on which */
  cpus: {
    cpu: number;
    start_ns: string | null;
    end_ns: string | null;
    start_ticks?: string;
    end_ticks?: string;
  }[];
  /** CPUs with events, and none of these */
  never_on: number[];
  /** why it is not certain all the same */
  doubts: string[];
}

export interface CpuSpan {
  cpu: number;
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  /** events that the trace says were lost on it; null: lost, without a number */
  lost: number | null;
}

/** A span in which events are missing. */
export interface LossSpan {
  /** null: not said which */
  cpu: number | null;
  /** null: from the beginning of the trace, or to its end */
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  /** line that tells of it; null: inferred from counts that do not add up */
  line: number | null;
  why: string;
}

export interface IdentityInfo {
  /** how events name pages: PFNs, pointers to struct page, physical addresses, (device, inode, index) */
  names: string[];
  /** address of the first struct page; null where no pointer had to be read */
  vmemmap_base: string | null;
  /** how it is known */
  known_by: string;
  /** `told`, `printed`, `paired`, `assumed`, `none`: only the first three decide anything */
  grade: 'told' | 'printed' | 'paired' | 'assumed' | 'none';
  proven: boolean;
  /** pairs of a pointer and a PFN of one page that fit it, and that do not */
  confirmed: number;
  contradicted: number;
  /** in bytes */
  page_size: number;
  page_size_known_by: string;
  page_size_proven: boolean;
}

export interface DeviceInfo {
  name: string;
  maps: number;
  unmaps: number;
  /** maps and never unmaps: its mappings are left out of every judgement */
  never_unmaps: boolean;
}

export interface ProbeInfo {
  /** as the kernel counted them (kprobe_profile); null: not in the header */
  missed_by_kernel: number | null;
  /** unpins that page_ref events show and no probe does; null: probes or page_ref events are not in the trace */
  missed_seen: number | null;
  /** unpins that both show */
  matched: number;
}

export interface ToRecord {
  /** kind of evidence: `puts`, `dma-unmap` */
  need: string;
  events: string;
  advice: string;
  /** rules that need it, and rules that would miss less */
  for_rules: string[];
}
