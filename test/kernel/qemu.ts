/** Boots a guest under software emulation and brings its results out. */
import {execFileSync, spawn, type ChildProcess} from 'node:child_process';
import {appendFileSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {blankDisk, buildDisk, buildInitramfs} from './image.js';
import {CACHE, type Arch, type Kernel} from './packages.js';

/** What is not as in the other guests: how the work's disk is attached, and what its kernel is told. */
export interface Machine {
  /** QEMU's options for the work's disk (`drive=work`); an NVMe disk by default */
  disk?: readonly string[];
  /** words for the kernel's command line */
  append?: string;
  /** every so many reads of the work's disk one fails, and works when it is tried again */
  failingRead?: number;
}

/** So many reads fail; after them all work. */
const FAILURES = 60;

/** Rules of QEMU's blkdebug: each read goes on to the next state, and those in every `n`th fail, once each. */
function failingReads(n: number, file: string): string {
  const rule = (kind: string, state: number, more: string) =>
    `[${kind}]\nevent = "read_aio"\nstate = "${state}"\n${more}\n`;
  const rules = Array.from({length: n * FAILURES}, (_, i) => {
    const state = i + 1;
    const next = rule('set-state', state, `new_state = "${state + 1}"`);
    return state % n === 0 ? rule('inject-error', state, 'errno = "5"\nonce = "on"') + next : next;
  });
  writeFileSync(file, rules.join(''));
  return file;
}

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
  /** the work's disk answers so many reads a second and no more; writes are as fast as they can be */
  readsPerSecond?: number;
  machine?: Machine;
  /** seconds until the guest is taken for stuck */
  patience: number;
}

/**
 * Slow enough that three syncs are over before a read is, also on an emulated machine that gets half a CPU while bpftrace
 * traces both: of 40 reads a second, in a minute, four had them there.
 */
export const READS_PER_SECOND = 10;

export interface GuestResult {
  /** directory with what the guest left in /out */
  out: string;
  console: string;
  seconds: number;
}

/** The emulated machines, by architecture. */
const MACHINES: Record<Arch, {program: string; machine: string[]; append: string}> = {
  amd64: {
    program: 'qemu-system-x86_64',
    machine: ['-machine', 'q35', '-cpu', 'max'],
    append: 'console=ttyS0 no_timer_check',
  },
  arm64: {
    program: 'qemu-system-aarch64',
    machine: ['-machine', 'virt,gic-version=3', '-cpu', 'cortex-a76'],
    append: 'console=ttyAMA0',
  },
};

/** A guest must not outlive a run that is stopped. */
const running = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const qemu of running) qemu.kill('SIGKILL');
    process.exit(1);
  });
}

function boot(guest: Guest, results: string, attempt: number): Promise<string> {
  const initrd = buildInitramfs(guest.kernel, guest.name, guest.files);
  const work = buildDisk(`work-${guest.name}`, 256);
  const drive = (file: string, id: string, more = '') => [
    '-drive',
    `file=${file},if=none,id=${id},format=raw,cache=unsafe${more}`,
  ];
  const {program, machine, append} = MACHINES[guest.kernel.arch];
  const {disk = ['-device', 'nvme,drive=work,serial=pinscope'], append: more, failingRead} = guest.machine ?? {};
  const rules = failingRead === undefined ? '' : failingReads(failingRead, join(CACHE, `failing-${guest.name}.conf`));
  const args = [
    ...(guest.counted
      ? ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-smp', '1']
      : ['-accel', 'tcg,thread=single', '-smp', '2']),
    ...[...machine, '-m', '1536'],
    ...['-kernel', guest.kernel.vmlinuz, '-initrd', initrd],
    ...['-append', [append, more, 'quiet panic=-1 mitigations=off'].filter(Boolean).join(' ')],
    ...drive(
      rules === '' ? work : `blkdebug:${rules}:${work}`,
      'work',
      guest.readsPerSecond === undefined ? '' : `,throttling.iops-read=${guest.readsPerSecond}`,
    ),
    ...disk,
    ...drive(results, 'results'),
    ...['-device', 'virtio-blk-pci,drive=results'],
    ...(guest.tools === undefined
      ? []
      : [...drive(guest.tools, 'tools', ',readonly=on'), '-device', 'virtio-blk-pci,drive=tools']),
    ...['-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot', '-nodefaults', '-nic', 'none'],
  ];
  return new Promise((resolve) => {
    // an emulated machine takes all the time there is, for minutes
    const qemu = spawn('nice', ['-n', '19', program, ...args], {stdio: ['ignore', 'pipe', 'pipe']});
    running.add(qemu);
    let text = '';
    const timer = setTimeout(() => {
      text += `\nguest: no end after ${guest.patience} s\n`;
      qemu.kill('SIGKILL');
    }, guest.patience * 1000);
    const log = join(CACHE, `console-${guest.name}-${attempt}.log`);
    writeFileSync(log, '');
    const take = (chunk: Buffer) => {
      appendFileSync(log, chunk);
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
 * Runs the guest; one that did not finish gets one more chance. Both its CPUs run in one thread of QEMU's, in turn: with a
 * thread each, QEMU 7.2 lets a 6.12 kernel crash now and then while probes patch code that the other CPU runs. (Two of
 * two guests that killed recordings; and it is no slower.)
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
    text = await boot(guest, results, attempt);
    if (text.includes('guest: done')) {
      execFileSync('tar', ['-C', out, '-xf', results]);
      return {out, console: text, seconds: (Date.now() - start) / 1000};
    }
    console.log(
      `  ${guest.name}: the guest did not finish (attempt ${attempt}): ${text.trim().split('\n').slice(-3).join(' | ')}`,
    );
  }
  // Never a reason to skip: only what cannot be installed is.
  throw new Error(`the guest ${guest.name} did not finish:\n${text.slice(-3000)}`);
}
