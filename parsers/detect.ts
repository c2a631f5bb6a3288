/**
 * Which form an input has, told from its first bytes and never from its name. Three outcomes are kept apart: a form that
 * is read; a form that is known but cannot be read (binary, without arguments, damaged), with what to do about it; no form.
 */

import {text} from './bytes.js';
import {openStyled} from './bpftrace/index.js';
import {statedStyle} from './bpftrace/style.js';
import {type Form, type FormId, type LineForm, readsRecords, type Sniff} from './form.js';
import type {Pattern} from './prefix/pattern.js';
import {QUOTED} from './prefix/quoted.js';
import {UnwrapReader, unwrapped} from './prefix/unwrap-reader.js';
import {isMail, type Wrapping, wrappingOf} from './prefix/unwrap.js';
import {mail} from './mail/index.js';
import {named} from './named.js';
import {forms} from './registry.js';
import {trial} from './trial.js';

export type Detection =
  | {outcome: 'read'; form: Form; evidence: string[]}
  | {outcome: 'refused' | 'unknown'; message: string; advice: string; line?: number};

/** A form that is so sure by a header or magic of its own that the others need not be asked. */
const CERTAIN = 95;
const BINARY = new Set<FormId>(['trace-dat', 'perf-data']);

/**
 * `head`: the first bytes, decompressed; the whole input if it is short. `from`: the form the user insists on, right or
 * wrong; only a binary file cannot be read as text. `prefix`: what stands before the event in lines of one's own program.
 */
export function detect(head: Uint8Array, from?: FormId, prefix?: Pattern): Detection {
  if (head.length === 0) {
    return {
      outcome: 'unknown',
      message: 'the input is empty',
      advice: 'Was anything recorded? `pinscope record` records a trace.',
    };
  }
  if (prefix && !prefix.skips) return stated(prefix, from);
  const wrapping = prefix === undefined && isRecording(head) ? undefined : wrappingOf(head, prefix);
  if (wrapping) {
    const found = detectPlain(unwrapped(head, wrapping), from);
    if (found.outcome === 'read') return wrapped(found, wrapping);
    if (found.outcome === 'refused') return found;
  }
  const found = detectPlain(head, from);
  return (from === undefined && quotedProgram(head, found)) || found;
}

/** A recording begins with its magic: nothing stands around it. */
function isRecording(head: Uint8Array): boolean {
  return forms.some((form) => readsRecords(form) && form.sniff(head).verdict !== 'no');
}

/** A mail that quotes a program of bpftrace, of which its own reader makes less. */
function quotedProgram(head: Uint8Array, found: Detection): Detection | undefined {
  if (found.outcome !== 'read' || (found.form.id !== 'mail' && !isMail(head))) return undefined;
  const program = detectPlain(unwrapped(head, QUOTED));
  if (program.outcome !== 'read' || (program.form.id !== 'bpftrace' && program.form.id !== 'bpftrace-json'))
    return undefined;
  const known = trial((sink, options) => mail.open(sink, options), head).decoded;
  const quoted = wrapped(program, QUOTED) as {outcome: 'read'; form: LineForm; evidence: string[]};
  const read = trial((sink, options) => quoted.form.open(sink, options), head).decoded;
  if (read <= known) return undefined;
  // `pfn=3D0x2a00`: its numbers are none yet
  if (!ENCODED.test(text(head, 0, Math.min(head.length, MAIL_LOOK)))) return quoted;
  return {
    outcome: 'refused',
    message: "this is a mail whose text is encoded (quoted-printable), with the output of a program of bpftrace's",
    advice: 'Save the text of the message, as the mail program shows it, and give that.',
  };
}

const ENCODED = /^content-transfer-encoding: *quoted-printable\b/im;
const MAIL_LOOK = 1 << 16;

/** Lines of one's own program, by what is said of them. */
function stated(prefix: Pattern, from: FormId | undefined): Detection {
  const style = statedStyle(prefix);
  const form = forms.find(({id}) => id === (from === 'bpftrace-json' ? from : 'bpftrace')) as LineForm;
  return {outcome: 'read', form: {...form, open: openStyled(form.id, style)}, evidence: [...style.evidence]};
}

/** The form of what is in a wrapping, and how it is opened with that around it. */
function wrapped(found: Detection & {outcome: 'read'}, wrapping: Wrapping): Detection {
  const {form, evidence} = found;
  if (readsRecords(form)) return found;
  return {
    outcome: 'read',
    form: {
      ...form,
      ordered: form.ordered && !wrapping.severalFiles,
      transcoded: wrapping.encoding !== 'utf-8',
      open: (sink, options) => new UnwrapReader(wrapping, (inner, o) => form.open(inner, o), sink, options),
    },
    evidence: [...wrapping.evidence, ...evidence],
  };
}

function detectPlain(head: Uint8Array, from?: FormId): Detection {
  const forced = from && forms.find((form) => form.id === from);
  if (forced) {
    const sniff = forced.sniff(head);
    if (sniff.verdict === 'refused' && BINARY.has(forced.id)) return refusal(forced, sniff);
    const said = sniff.verdict === 'yes' ? sniff.evidence : ['nothing in the first lines speaks for it'];
    return {outcome: 'read', form: opened(forced, sniff), evidence: [`--from ${forced.id}`, ...said]};
  }
  let best: {form: Form; sniff: Sniff} | undefined;
  for (const form of forms) {
    const sniff = form.sniff(head);
    if (sniff.verdict !== 'no' && (!best || sniff.score > best.sniff.score)) best = {form, sniff};
    if (best && best.sniff.score >= CERTAIN) break;
  }
  if (!best) return unknown(head);
  if (best.sniff.verdict === 'refused') return refusal(best.form, best.sniff);
  return {outcome: 'read', form: opened(best.form, best.sniff), evidence: best.sniff.evidence};
}

/** The form, opened as the head of this input asks for. */
function opened(form: Form, {open}: Sniff): Form {
  return open ? {...form, open} : form;
}

function refusal(form: Form, sniff: Sniff): Detection {
  const {damagedAt} = sniff;
  return {
    outcome: 'refused',
    message:
      damagedAt === undefined
        ? `this is ${form.title}: ${sniff.evidence.join('; ')}`
        : `this is ${form.title}, but damaged at line ${damagedAt}: ${sniff.evidence.join('; ')}`,
    advice: sniff.advice ?? '',
    ...(damagedAt === undefined ? {} : {line: damagedAt}),
  };
}

function unknown(head: Uint8Array): Detection {
  const known = named(head);
  if (known) return {outcome: 'refused', message: `this is ${known.what}`, advice: known.advice};
  // text has no NUL bytes, and few other control characters
  let control = 0;
  const look = Math.min(head.length, 4096);
  for (let i = 0; i < look; i++) {
    const c = head[i]!;
    if (c < 9 || (c > 13 && c < 27)) control++;
  }
  const binary = control > look / 50;
  return {
    outcome: 'unknown',
    message: binary
      ? 'this is binary, and no form of trace that is known'
      : 'no known form of trace in the first lines',
    advice:
      'Read are: ftrace text, trace.dat and perf.data, trace-cmd report, perf script, bpftrace output (text and -f json), an ftrace ' +
      'dump in dmesg, and mails that quote them. --from FORM insists on one, and looks through all of the input.',
  };
}
