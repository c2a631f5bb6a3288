/** Builds what a guest boots from: an initramfs with busybox, modules and the work, and its disks. */
import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {basename, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {CACHE, type Kernel} from './packages.js';

const GUEST = fileURLToPath(new URL('guest', import.meta.url));

/** Loaded in the guest, with what they depend on: the disks, the file system, its checksum. */
const MODULES = ['virtio_pci', 'virtio_blk', 'nvme', 'crc32c_generic', 'ext4'];

/** Every module file of a kernel by name, `-` and `_` taken as the same. */
function moduleFiles(dir: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (at: string) => {
    for (const entry of readdirSync(at, {withFileTypes: true})) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.ko(\.xz)?$/.test(entry.name))
        found.set(entry.name.replace(/\.ko(\.xz)?$/, '').replaceAll('-', '_'), path);
    }
  };
  walk(join(dir, 'kernel'));
  return found;
}

/** Copies modules into `to` and returns their file names, each after those it depends on. */
function copyModules(kernel: Kernel, to: string): string[] {
  const files = moduleFiles(kernel.modules);
  const order: string[] = [];
  const add = (name: string) => {
    const source = files.get(name);
    // what is built in has no file
    if (source === undefined || order.includes(`${name}.ko`)) return;
    const raw = source.endsWith('.xz')
      ? execFileSync('xz', ['-dc', source], {maxBuffer: 1 << 28})
      : readFileSync(source);
    const depends = /\0depends=([^\0]*)\0/.exec(raw.toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',').filter(Boolean)) add(other.replaceAll('-', '_'));
    writeFileSync(join(to, `${name}.ko`), raw);
    order.push(`${name}.ko`);
  };
  for (const name of MODULES) add(name);
  return order;
}

/** Compiles the test module for a kernel. */
function buildModule(kernel: Kernel, name: string): string {
  const dir = join(CACHE, `pinbad-${name}`);
  rmSync(dir, {recursive: true, force: true});
  cpSync(join(GUEST, 'pinbad'), dir, {recursive: true});
  execFileSync('make', ['-s', '-C', kernel.headers, `M=${dir}`, 'modules'], {stdio: ['ignore', 'pipe', 'pipe']});
  return join(dir, 'pinbad.ko');
}

function buildWork(): string {
  const to = join(CACHE, 'work');
  execFileSync('gcc', ['-static', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', to, join(GUEST, 'work.c')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return to;
}

/** An initramfs whose /init runs `scenario` with the files beside it in /task. Returns its path. */
export function buildInitramfs(kernel: Kernel, name: string, files: Record<string, string>): string {
  const root = join(CACHE, `initramfs-${name}`);
  rmSync(root, {recursive: true, force: true});
  for (const dir of ['bin', 'dev', 'proc', 'sys', 'tmp', 'mnt', 'out', 'tools', 'lib', 'task']) {
    mkdirSync(join(root, dir), {recursive: true});
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  symlinkSync('busybox', join(root, 'bin/sh'));
  writeFileSync(join(root, 'lib/modules.order'), `${copyModules(kernel, join(root, 'lib')).join('\n')}\n`);
  copyFileSync(buildModule(kernel, name), join(root, 'lib/pinbad.ko'));
  copyFileSync(buildWork(), join(root, 'bin/work'));
  copyFileSync(join(GUEST, 'init.sh'), join(root, 'init'));
  if (existsSync('/bin/dash'))
    execFileSync('sh', ['-c', `ldd /bin/dash | grep -o '/[^ ]*' | cpio -pdL --quiet ${root}`]);
  copyFileSync('/bin/dash', join(root, 'bin/dash'));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(root, 'task', file), text);
  for (const file of ['init', 'bin/work', 'bin/busybox', 'bin/dash']) chmodSync(join(root, file), 0o755);
  const image = `${root}.cpio.gz`;
  execFileSync('sh', ['-c', `find . | cpio -o -H newc --quiet | gzip -1 >${JSON.stringify(image)}`], {cwd: root});
  return image;
}

/** An ext4 file system in a file, optionally filled from a directory (mke2fs -d). */
export function buildDisk(name: string, megabytes: number, from?: string): string {
  const image = join(CACHE, `${basename(name)}.img`);
  rmSync(image, {force: true});
  execFileSync('truncate', ['-s', `${megabytes}M`, image]);
  execFileSync('/sbin/mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-E',
    'lazy_itable_init=0,lazy_journal_init=0',
    ...(from === undefined ? [] : ['-d', from]),
    image,
  ]);
  return image;
}

/** An empty disk for results. */
export function blankDisk(name: string, megabytes: number): string {
  const image = join(CACHE, `${name}.img`);
  rmSync(image, {force: true});
  execFileSync('truncate', ['-s', `${megabytes}M`, image]);
  return image;
}
