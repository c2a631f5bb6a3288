/** The round that runs `pinscope record` itself in a guest: Node, the package, a recording and its analysis in one. */
import {execFileSync} from 'node:child_process';
import {copyFileSync, mkdirSync, readFileSync, rmSync} from 'node:fs';
import {basename, join} from 'node:path';
import {checkRecording, guestFile, result, ROOT} from './check.js';
import {buildDisk} from './image.js';
import {CACHE, type Kernel} from './packages.js';
import {READS_PER_SECOND, runGuest} from './qemu.js';

/** A disk with this Node, its libraries, and pinscope as `npm pack` packs it. */
function nodeDisk(): string {
  const root = join(CACHE, 'node-root');
  rmSync(root, {recursive: true, force: true});
  for (const dir of ['bin', 'lib']) mkdirSync(join(root, dir), {recursive: true});
  copyFileSync(process.execPath, join(root, 'bin/node'));
  for (const [library] of execFileSync('ldd', [process.execPath], {encoding: 'utf8'}).matchAll(/\/\S+\.so\S*/g)) {
    copyFileSync(library, join(root, 'lib', basename(library)));
  }
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', root], {cwd: ROOT, encoding: 'utf8'});
  const archive = join(root, packed.trim().split('\n').at(-1)!);
  execFileSync('tar', ['-C', root, '-xzf', archive]);
  rmSync(archive);
  return buildDisk('node', 400, root);
}

/** One guest in which pinscope records, is interrupted, and is killed. */
export async function testNode(kernel: Kernel): Promise<void> {
  const guest = await runGuest({
    kernel,
    name: `node-${kernel.target}`,
    files: {'scenario.sh': guestFile('node.sh'), 'common.sh': guestFile('common.sh')},
    readsPerSecond: READS_PER_SECOND,
    patience: 1200,
    tools: nodeDisk(),
  });
  console.log(`${kernel.release}: pinscope record in ${guest.seconds.toFixed(0)} s`);
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  const outcome = {kernel, out: guest.out, log};
  const text = (file: string) => readFileSync(join(guest.out, file), 'utf8');

  for (const [name, end] of [
    ['node', 'command'],
    ['interrupted', 'interrupted'],
    ['open-2', 'interrupted'],
    ['open-15', 'terminated'],
  ] as const) {
    // 1: its own analysis found the deliberate bugs
    checkRecording(outcome, name, name === 'node' ? {} : {part: 'bad'}, 1);
    const report = text(`${name}.report`);
    const missing = ['unpin-while-dma', 'free-while-dma', 'unpin-without-pin', 'pin-leak'].filter(
      (rule) => !report.includes(rule),
    );
    result(missing.length === 0, `${kernel.target} ${name}: the report that was printed there names the bugs`, missing);
    result(
      text(`${name}.trace`).includes(`# pinscope-record: end=${end}\n`) &&
        text(`${name}.said`).includes(`ended by ${end}`),
      `${kernel.target} ${name}: says that it ended by ${end}`,
    );
  }
  const killed = text('open-9.trace');
  result(
    log.includes('status open-9 137\n') && log.includes('restored after open-9\n') && /: end=terminated$/m.test(killed),
    `${kernel.target} open-9: the recording ends with a pinscope that is killed`,
    log.split('\n').filter((line) => /open-9/.test(line)),
  );
  const early = log.split('\n').filter((line) => /^(early end|restored|CHANGED).* ms/.test(line));
  result(
    early.filter((line) => line.startsWith('restored')).length === 4,
    `${kernel.target}: early ends leave tracing as it was`,
    early,
  );
}
