/** Boots a guest under software emulation and brings its results out. */
import {execFileSync, spawn, type ChildProcess} from 'node:child_process';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {blankDisk, buildDisk, buildInitramfs} from './image.js';
import {CACHE, type Kernel, Skip} from './packages.js';

export interface Guest {
  kernel: Kernel;
  /** for file names */
  name: string;
  /** files in /task; `scenario.sh` is run there */
  files: Record<string, string>;
  /** disk image with tools for /tools */
  tools?: string;
  /** one CPU whose clock counts instructions, 1 ns each: measures the same on a busy machine as on an idle one */
  counted?: true;
  /** seconds until the guest is taken for stuck */
  patience: number;
}

export interface GuestResult {
  /** directory with what the guest left in /out */
  out: string;
  console: string;
  seconds: number;
}

/** A guest must not outlive a run that is stopped. */
const running = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const qemu of running) qemu.kill('SIGKILL');
    process.exit(1);
  });
}

function boot(guest: Guest, results: string): Promise<string> {
  const initrd = buildInitramfs(guest.kernel, guest.name, guest.files);
  const work = buildDisk(`work-${guest.name}`, 256);
  const drive = (file: string, id: string, more = '') => [
    '-drive',
    `file=${file},if=none,id=${id},format=raw,cache=unsafe${more}`,
  ];
  const args = [
    ...(guest.counted
      ? ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-smp', '1']
      : ['-accel', 'tcg,thread=multi', '-smp', '2']),
    ...['-machine', 'q35', '-cpu', 'max', '-m', '1536'],
    ...['-kernel', guest.kernel.vmlinuz, '-initrd', initrd],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off no_timer_check'],
    ...drive(work, 'work'),
    ...['-device', 'nvme,drive=work,serial=pinscope'],
    ...drive(results, 'results'),
    ...['-device', 'virtio-blk-pci,drive=results'],
    ...(guest.tools === undefined
      ? []
      : [...drive(guest.tools, 'tools', ',readonly=on'), '-device', 'virtio-blk-pci,drive=tools']),
    ...['-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot', '-nodefaults', '-nic', 'none'],
  ];
  return new Promise((resolve) => {
    const qemu = spawn('qemu-system-x86_64', args, {stdio: ['ignore', 'pipe', 'pipe']});
    running.add(qemu);
    let text = '';
    const timer = setTimeout(() => {
      text += `\nguest: no end after ${guest.patience} s\n`;
      qemu.kill('SIGKILL');
    }, guest.patience * 1000);
    const take = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.length > 4 << 20) text = text.slice(-(2 << 20));
    };
    qemu.stdout.on('data', take);
    qemu.stderr.on('data', take);
    qemu.on('close', () => {
      clearTimeout(timer);
      running.delete(qemu);
      resolve(text);
    });
  });
}

/**
 * Runs the guest. QEMU 7.2 crashes one now and then while kernel code is patched on another CPU: it gets one more chance.
 */
export async function runGuest(guest: Guest): Promise<GuestResult> {
  const start = Date.now();
  const out = join(CACHE, `out-${guest.name}`);
  let text = '';
  for (let attempt = 1; attempt <= 2; attempt++) {
    rmSync(out, {recursive: true, force: true});
    mkdirSync(out, {recursive: true});
    const results = blankDisk(`results-${guest.name}`, 512);
    // eslint-disable-next-line no-await-in-loop -- one after the other on purpose
    text = await boot(guest, results);
    writeFileSync(join(CACHE, `console-${guest.name}.log`), text);
    if (text.includes('guest: done')) {
      execFileSync('tar', ['-C', out, '-xf', results]);
      return {out, console: text, seconds: (Date.now() - start) / 1000};
    }
    console.log(
      `  ${guest.name}: the guest did not finish (attempt ${attempt}): ${text.trim().split('\n').slice(-3).join(' | ')}`,
    );
  }
  const what = `the guest ${guest.name} did not finish:\n${text.slice(-3000)}`;
  // In CI an emulator that cannot finish a guest judges nothing: said as left out, never as passed.
  throw process.env['CI'] ? new Skip(what) : new Error(what);
}
