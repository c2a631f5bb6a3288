/** What reading traces takes, and what it gives. */
import type {Pattern} from '../../parsers/prefix/pattern.js';
import type {Form, FormId, RecordReader, TraceReader} from '../../parsers/form.js';
import type {Kallsyms} from '../base/kallsyms.js';
import type {KernelVersion} from '../base/selection.js';
import type {TraceEvent} from '../events/event.js';
import type {Input} from '../io/input.js';
import type {Follower} from '../ledger/lives.js';
import type {Ledger} from '../ledger/ledger.js';

export interface ReadOptions {
  traces: readonly string[];
  from: FormId | undefined;
  /** what stands before the event in lines of one's own program */
  prefix?: Pattern | undefined;
  kernel: KernelVersion | undefined;
  pageShift: number | undefined;
  vmemmap: bigint | undefined;
  /** trace_clock, as the user says */
  clock?: string | undefined;
  /** symbols that the user gave */
  kallsyms?: Kallsyms | undefined;
  /** the digest of each input is wanted */
  sha256?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** told once the inputs are open: to show progress */
  onOpen?: ((inputs: readonly Input[]) => void) | undefined;
  /** pages whose lives are kept whole */
  follow?: Follower | undefined;
  /** who looks at every event before the ledger does; reading may begin anew */
  watch?: Watch | undefined;
}

export interface Watch {
  begin(): void;
  event(ev: TraceEvent): void;
}

export interface ReadInput {
  input: Input;
  form: Form;
  reader: TraceReader | RecordReader;
  evidence: string[];
}

export interface Reading {
  ledger: Ledger;
  inputs: ReadInput[];
  /** why reading stopped before the end; undefined when it did not */
  partial: string | undefined;
  seconds: number;
  tooLate: number;
}
