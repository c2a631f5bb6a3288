/**
 * Inputs whose digest has to be known before they are read: what is named by its bytes is written while they are read.
 * A plain file is read once more for it; a pipe is copied to a temporary file first.
 */
import {createHash, randomBytes} from 'node:crypto';
import {closeSync, openSync, unlinkSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {unfinished} from './output.js';
import {nothingIn} from './open-input.js';
import {openRaw} from './raw.js';
import {unwritable} from './system-error.js';
import {UserError} from './user-error.js';

export interface Identified {
  /** as given; `-` for standard input */
  shown: string;
  /** the plain file to read */
  path: string;
  /** hex, of the bytes as read */
  sha256: string;
}

/** `paths`: as openInputs() takes them. Call release() when they are read. Throws UserError. */
export async function identifyInputs(
  paths: readonly string[],
  stop?: AbortSignal,
): Promise<{inputs: Identified[]; release(): void}> {
  if (paths.length === 0 && process.stdin.isTTY)
    throw new UserError('no trace given', {next: 'name a file, or pipe one in'});
  const copies: string[] = [];
  const release = (): void => {
    for (const copy of copies.splice(0)) {
      unfinished.delete(copy);
      try {
        unlinkSync(copy);
      } catch {
        // it is gone, which is what was wanted
      }
    }
  };
  try {
    const inputs: Identified[] = [];
    for (const shown of paths.length > 0 ? paths : ['-']) inputs.push(await identify(shown, copies, stop));
    return {inputs, release};
  } catch (error) {
    release();
    throw error;
  }
}

async function identify(shown: string, copies: string[], stop: AbortSignal | undefined): Promise<Identified> {
  const raw = openRaw(shown, stop);
  const plain = raw.identity !== null && shown !== '-';
  const copy = plain ? undefined : path.join(tmpdir(), `pinscope-${process.pid}-${randomBytes(6).toString('hex')}`);
  let fd = -1;
  try {
    if (copy !== undefined) {
      fd = openSync(copy, 'wx', 0o600);
      copies.push(copy);
      unfinished.add(copy);
    }
    const hash = createHash('sha256');
    for (let chunk = await raw.next(); chunk !== null; chunk = await raw.next()) {
      hash.update(chunk);
      if (fd >= 0) for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
      if (stop?.aborted === true) break;
    }
    if (raw.bytes === 0) throw nothingIn(shown);
    return {shown, path: copy ?? shown, sha256: hash.digest('hex')};
  } catch (error) {
    throw error instanceof UserError || copy === undefined ? error : unwritable(copy, error);
  } finally {
    raw.close();
    if (fd >= 0) closeSync(fd);
  }
}
