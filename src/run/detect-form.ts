/** The form of an input, by its head; a recording is opened. */
import {type Form, readsRecords, type RecordFile, Refused} from '../../parsers/form.js';
import {type Input, PEEK_LIMIT_BYTES} from '../io/input.js';
import {UserError} from '../io/user-error.js';
import type {ReadOptions} from './reading.js';

/** How much of the head is read ahead, to know what a trace records before its first events are judged. */
const LOOKAHEAD_BYTES = 512 * 1024;
/** A live pipe is not waited for longer than this before reading begins. */
const PATIENCE_MS = 300;

/** An input whose form is known, and its first bytes; of a recording what its head says. */
export interface Detected {
  form: Form;
  evidence: string[];
  head: Uint8Array;
  file?: RecordFile;
}

const NO_BYTES = new Uint8Array(0);

/** Detects the form, and opens what is a recording: it stays open, for records are shown after it was read. */
export async function detectForm(input: Input, options: ReadOptions): Promise<Detected> {
  const [{detect}, {holdsTrace, isHtml}] = await Promise.all([
    import('../../parsers/detect.js'),
    import('../../parsers/prefix/html.js'),
  ]);
  let head = await input.peek(LOOKAHEAD_BYTES, PATIENCE_MS);
  // the viewer in a page of systrace comes before the trace
  if (head.length === LOOKAHEAD_BYTES && isHtml(head) && !holdsTrace(head)) {
    head = await input.peek(PEEK_LIMIT_BYTES, PATIENCE_MS);
  }
  const found = detect(head, options.from, options.prefix);
  if (found.outcome === 'read') {
    const {form, evidence} = found;
    if (!readsRecords(form)) return {form, evidence, head};
    const source = await input.random();
    if (input.spooled > 0)
      evidence.push(`put aside in a temporary file of ${input.spooled} bytes, to be read by place`);
    try {
      return {form, evidence, head: NO_BYTES, file: await form.openFile(source)};
    } catch (error) {
      source.close();
      if (!(error instanceof Refused)) throw error;
      const {cut, cutAdvice} = input;
      // what it lacks may be what could not be put aside
      if (cut !== undefined) throw new UserError(`${cut}; ${error.message}`, {where: input.name, next: cutAdvice});
      throw new UserError(error.message, {where: input.name, next: error.advice});
    }
  }
  const where = found.line === undefined ? input.name : `${input.name}:${found.line}`;
  throw new UserError(found.message, {where, next: found.advice});
}
