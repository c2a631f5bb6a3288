/** Runs a recording script on this machine. */
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

/**
 * Before the script's own lines: ends it when this process ends, also by kill -9. It would record on otherwise, with
 * nobody to tell it to stop. 3 is a pipe that nothing is ever written to; its end is the end of this process.
 */
const WATCH = `# ends with the process that started it
(
  trap '' INT TERM HUP QUIT
  read -r _
  kill -TERM $$ 2>/dev/null
) <&3 >/dev/null 2>&1 3<&- &
exec 3<&-
`;

/**
 * Runs `script` with sh, its trace going to `output`. Signals reach the script, which stops the recording and puts
 * everything back; this process waits for that. A terminal sends Ctrl-C to the script by itself.
 * Answers the script's exit status: that of the command, or 2 (and no trace) when it could not record.
 */
export async function runScript(script: string, output: string, command: readonly string[]): Promise<number> {
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-script.'));
  const file = path.join(dir, 'record.sh');
  writeFileSync(file, WATCH + script, {mode: 0o700});
  const args = ['-o', output, ...(command.length > 0 ? ['--', ...command] : [])];
  const child = spawn('sh', [file, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  const onInterrupt = () => {};
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      // not 'close': that would wait for the end of the pipe, which is ours to end
      child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 2) : 2));
    });
  } finally {
    child.stdio[3]?.destroy();
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', forward);
    process.off('SIGHUP', forward);
    rmSync(dir, {recursive: true, force: true});
  }
}
