/** Builds what a guest boots from: an initramfs with busybox, modules and the work, and its disks. */
import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {CACHE, compileModule, compileWork, reasonOf, Skip, toolsRoot, TRIPLET, type Kernel} from './packages.js';

const GUEST = fileURLToPath(new URL('guest', import.meta.url));

/** Loaded in the guest, with what they depend on: the disks, the file system, its checksum (a module up to 6.13). */
const MODULES = ['virtio_pci', 'virtio_blk', 'nvme', 'virtio_scsi', 'megaraid_sas', 'sd_mod', 'crc32c_generic', 'ext4'];

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

/** Files of test/kernel/guest by path. */
function sources(...paths: string[]): Map<string, Buffer> {
  return new Map(paths.map((path) => [path, readFileSync(join(GUEST, path))]));
}

const modules = new Map<string, string | Skip>();

/** Compiles the test module for a kernel, once; a Skip where this kernel's headers cannot be had. */
export function testModule(kernel: Kernel): string | Skip {
  let module = modules.get(kernel.release);
  if (module === undefined) {
    try {
      const files = ['Makefile', 'pinbad.c', 'pinbad.h'].map((name) => `pinbad/${name}`);
      const flat = [...sources(...files)].map(([path, text]) => [basename(path), text] as const);
      module = compileModule(kernel, new Map(flat), 'pinbad');
    } catch (error) {
      // only what cannot be had; a module that does not compile is a failure
      if (!(error instanceof Skip))
        throw new Error(`the test module for ${kernel.release}: ${reasonOf(error)}`, {cause: error});
      module = error;
    }
    modules.set(kernel.release, module);
  }
  return module;
}

/** busybox, and dash with its library: the shells that scripts are tried with. */
function copyShells(kernel: Kernel, root: string): void {
  const from = toolsRoot(kernel.target, ['busybox-static', 'dash', 'libc6']);
  const copy = (path: string, to = path) => {
    mkdirSync(join(root, dirname(to)), {recursive: true});
    copyFileSync(join(from, path), join(root, to));
    chmodSync(join(root, to), 0o755);
  };
  copyFileSync(join(from, 'usr/bin/busybox'), join(root, 'bin/busybox'));
  copyFileSync(join(from, 'usr/bin/dash'), join(root, 'bin/dash'));
  symlinkSync('busybox', join(root, 'bin/sh'));
  const libraries = `lib/${TRIPLET[kernel.arch]}`;
  copy(`${libraries}/libc.so.6`);
  // not by the link in lib64: that of Debian 12 would lead to the loader of this machine
  if (kernel.arch === 'arm64') copy(`${libraries}/ld-linux-aarch64.so.1`, 'lib/ld-linux-aarch64.so.1');
  else copy(`${libraries}/ld-linux-x86-64.so.2`, 'lib64/ld-linux-x86-64.so.2');
}

/** An initramfs whose /init runs `scenario` with the files beside it in /task. Returns its path. */
export function buildInitramfs(kernel: Kernel, name: string, files: Record<string, string>): string {
  const root = join(CACHE, `initramfs-${name}`);
  rmSync(root, {recursive: true, force: true});
  for (const dir of ['bin', 'dev', 'proc', 'sys', 'tmp', 'mnt', 'out', 'tools', 'lib', 'task']) {
    mkdirSync(join(root, dir), {recursive: true});
  }
  copyShells(kernel, root);
  writeFileSync(join(root, 'lib/modules.order'), `${copyModules(kernel, join(root, 'lib')).join('\n')}\n`);
  const module = testModule(kernel);
  if (typeof module === 'string') copyFileSync(module, join(root, 'lib/pinbad.ko'));
  copyFileSync(
    compileWork(kernel.target, sources('work.c', 'ring.c', 'storm.c', 'work.h', 'pinbad/pinbad.h')),
    join(root, 'bin/work'),
  );
  copyFileSync(join(GUEST, 'init.sh'), join(root, 'init'));
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
