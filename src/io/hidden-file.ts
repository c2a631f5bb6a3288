/** A file that is written under a hidden name and takes its own when it is whole: a reader never sees half of it. */
import {randomBytes} from 'node:crypto';
import {closeSync, fsyncSync, mkdirSync, openSync, renameSync, unlinkSync, writeSync} from 'node:fs';
import path from 'node:path';
import {unfinished} from './output.js';
import {unwritable} from './system-error.js';

/** Written at once, not in turns: rows come from inside the reading of a trace. */
export class HiddenFile {
  private readonly hidden: string;
  private fd: number;

  /** `file`: its name once whole; its folder is made. Throws UserError. */
  constructor(readonly file: string) {
    const folder = path.dirname(file);
    // Engines that read folders skip names that begin with a dot.
    const name = `.${path.basename(file).slice(0, 200)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
    this.hidden = path.join(folder, name);
    try {
      mkdirSync(folder, {recursive: true});
      this.fd = openSync(this.hidden, 'wx', 0o666);
    } catch (error) {
      throw unwritable(file, error);
    }
    unfinished.add(this.hidden);
  }

  /** Throws UserError when the disk is full and the like. */
  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.fd, bytes, at);
    } catch (error) {
      throw unwritable(this.file, error);
    }
  }

  /** All is written. Throws UserError: some file systems say that they are full only now. */
  close(): void {
    try {
      fsyncSync(this.fd);
      closeSync(this.fd);
      this.fd = -1;
    } catch (error) {
      throw unwritable(this.file, error);
    }
  }

  /** After close(): the file takes its name, in place of what has it. */
  take(): void {
    try {
      renameSync(this.hidden, this.file);
    } catch (error) {
      throw unwritable(this.file, error);
    }
    unfinished.delete(this.hidden);
  }

  /** Leaves nothing behind. Does nothing after take(). */
  abort(): void {
    try {
      if (this.fd >= 0) closeSync(this.fd);
    } catch {
      // it could not be written either: that is what is told
    }
    this.fd = -1;
    if (!unfinished.delete(this.hidden)) return;
    try {
      unlinkSync(this.hidden);
    } catch {
      // it is gone, which is what was wanted
    }
  }
}
