/** Runs a recording script on this machine. */
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

export interface Recording {
  /** exit status of the script: that of the command, or 2 when it could not record */
  status: number;
  /** whether the command was what ended with that status */
  recorded: boolean;
}

/**
 * Runs `script` with sh, its trace going to `output`. Signals reach the script, which stops the recording and puts
 * everything back; this process waits for that. A terminal sends Ctrl-C to the script by itself.
 */
export async function runScript(script: string, output: string, command: readonly string[]): Promise<Recording> {
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-script.'));
  const file = path.join(dir, 'record.sh');
  writeFileSync(file, script, {mode: 0o700});
  const args = ['-o', output, ...(command.length > 0 ? ['--', ...command] : [])];
  const child = spawn('sh', [file, ...args], {stdio: 'inherit'});
  const onInterrupt = () => {};
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  try {
    const status = await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(signal === null ? (code ?? 2) : 2));
    });
    return {status, recorded: status !== 2};
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', forward);
    process.off('SIGHUP', forward);
    rmSync(dir, {recursive: true, force: true});
  }
}
