/**
 * System errors in words: what they mean for the file at hand, and what to do about them.
 */
import {UserError, systemCode} from './user-error.js';

/** Words for a system error; the rest stay as Node says them. */
const WORDS: Record<string, [what: string, next: string]> = {
  ENOENT: ['no such file', 'check the path'],
  ENOTDIR: ['no such file: a part of the path is not a directory', 'check the path'],
  EACCES: ['permission denied', 'run it as a user who may read the file, or copy the file'],
  EPERM: ['permission denied', 'run it as a user who may read the file, or copy the file'],
  ELOOP: ['too many symbolic links', 'check the path'],
  ENAMETOOLONG: ['the name is too long', 'check the path'],
  EMFILE: ['too many open files in this process', 'give fewer traces at once, or raise the limit with ulimit -n'],
  ENFILE: ['too many open files on this machine', 'close some, then try again'],
  EIO: ['the device reports a read error', 'copy what can be read, for example with dd conv=noerror'],
  ENOSPC: ['no space left on the device', 'make room'],
  EDQUOT: ['the disk quota is used up', 'make room'],
  EFBIG: ['a file may not be larger here (ulimit -f)', 'raise the limit'],
  ENXIO: ['no such device', 'check the path'],
};

/** `no such file`: what a system error means. */
export function systemWords(error: unknown): string {
  const code = systemCode(error) ?? '';
  const words = WORDS[code]?.[0];
  if (words !== undefined) return words;
  return error instanceof Error ? error.message : String(error);
}

/** The error for a trace that cannot be opened or read at all. */
export function unreadable(name: string, error: unknown): UserError {
  const next = WORDS[systemCode(error) ?? '']?.[1] ?? '';
  return new UserError(systemWords(error), {where: name, next, cause: error});
}

/** The error for what goes wrong when writing to `name`. `passed`: what was written before is out of our hands. */
export function unwritable(name: string, error: unknown, passed = false): UserError {
  if (error instanceof UserError) return error;
  const full = `make room or choose another place; ${passed ? 'what was written is not whole' : 'no part of the output was kept'}`;
  const next: Record<string, string> = {
    ENOSPC: full,
    EDQUOT: full,
    ENOENT: 'make the directory first',
    EACCES: 'choose a place you may write to',
    EROFS: 'choose a place you may write to',
  };
  const words: Record<string, string> = {
    ENOENT: 'the directory does not exist',
    EROFS: 'the file system is read-only',
  };
  const code = systemCode(error) ?? '';
  const what = words[code] ?? systemWords(error);
  return new UserError(`cannot write: ${what}`, {where: name, next: next[code] ?? '', cause: error});
}
