/** Runs a recording script on this machine. */
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

/**
 * Runs `script` with sh, its trace going to `output`. Signals reach the script, which stops the recording and puts
 * everything back; this process waits for that. A terminal sends Ctrl-C to the script by itself.
 * Answers the script's exit status: that of the command, or 2 (and no trace) when it could not record.
 */
export async function runScript(script: string, output: string, command: readonly string[]): Promise<number> {
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
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(signal === null ? (code ?? 2) : 2));
    });
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', forward);
    process.off('SIGHUP', forward);
    rmSync(dir, {recursive: true, force: true});
  }
}
