/** The file that --kallsyms names. */
import {readFile, stat} from 'node:fs/promises';
import {UserError} from '../io/user-error.js';
import {KallsymsError, parseKallsyms, type Kallsyms} from '../base/kallsyms.js';

/** /proc/kallsyms of a distribution kernel has 10 to 20 MB; a larger file is something else. */
const LARGEST_BYTES = 128_000_000;

/** @throws UserError when the file cannot be read, is too large or names nothing. */
export async function readKallsyms(file: string): Promise<Kallsyms> {
  try {
    const {size} = await stat(file);
    if (size > LARGEST_BYTES) throw new KallsymsError(`too large for a list of symbols (${size} bytes)`);
    return parseKallsyms(await readFile(file, 'latin1'));
  } catch (error) {
    const what = error instanceof KallsymsError ? error.message : 'cannot be read';
    throw new UserError(what, {where: file, next: 'give a copy of /proc/kallsyms, read as root', cause: error});
  }
}
