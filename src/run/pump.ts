/** Inputs fed to their readers, until they end or somebody stops it. */
import type {Sorter} from '../order/sorter.js';
import {holdHeap} from './engine.js';
import type {ReadInput} from './reading.js';

/** Records read between two looks at signals and other inputs. */
const STEP_RECORDS = 5_000;

/** Reads some of an input. False at its end. */
async function advance({input, reader}: ReadInput): Promise<boolean> {
  if ('step' in reader) {
    const more = reader.step(STEP_RECORDS);
    // the bytes are read by place; as they come they are counted, and hashed where the digest is wanted
    for (let n = more ? 1 : Infinity; n > 0; n--) if (!(await input.pass())) break;
    return more;
  }
  const chunk = await input.next();
  if (chunk !== null) reader.push(chunk, chunk.length);
  return chunk !== null;
}

/** Feeds the readers, the one that is furthest behind first. Answers why it stopped early, if it did. */
export async function pump(
  read: readonly ReadInput[],
  sorter: Sorter | undefined,
  signal: AbortSignal | undefined,
  stop: () => boolean,
): Promise<string | undefined> {
  const open = new Set(read);
  while (open.size > 0) {
    if (signal?.aborted) {
      for (const {reader} of open) {
        if ('push' in reader) reader.stopped?.();
        reader.end();
      }
      return stoppedBy(signal);
    }
    let next: ReadInput | undefined;
    for (const r of open) if (!next || r.reader.counters.latest < next.reader.counters.latest) next = r;
    const more = await advance(next!);
    holdHeap();
    if (!more) {
      next!.reader.end();
      open.delete(next!);
    }
    if (stop()) return undefined;
    if (sorter && read.length > 1 && open.size > 0) {
      sorter.passed(Math.min(...[...open].map((r) => r.reader.counters.latest)));
    }
    // A plain file is read without waiting: signals and progress get their turn here.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  // a pipe that gave nothing ends at the signal
  return signal?.aborted ? stoppedBy(signal) : undefined;
}

function stoppedBy(signal: AbortSignal): string {
  return `stopped by ${String(signal.reason)}: what came after is not in this report`;
}
