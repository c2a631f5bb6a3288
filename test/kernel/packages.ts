/**
 * Gets what the guests are made of from the machine's own Debian packages: QEMU is installed, kernels and the tools
 * for the guest are only downloaded and unpacked (dpkg -x), so that nothing of them runs here.
 */
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';

/** A reason not to run, in words. */
export class Skip extends Error {}

/** Everything downloaded or built stays here between runs. */
export const CACHE =
  process.env['PINSCOPE_KERNEL_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'pinscope');

/** Program and the package that has it. */
const HOST_TOOLS: readonly (readonly [string, string])[] = [
  ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
  ['/bin/busybox', 'busybox-static'],
  ['/usr/bin/gcc', 'gcc'],
  ['/usr/bin/make', 'make'],
  ['/usr/lib/x86_64-linux-gnu/libc.a', 'libc6-dev'],
  ['/usr/bin/xz', 'xz-utils'],
  ['/usr/bin/cpio', 'cpio'],
  ['/usr/bin/bc', 'bc'],
  ['/sbin/mke2fs', 'e2fsprogs'],
];

function run(program: string, args: string[], cwd?: string): string {
  return execFileSync(program, args, {cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28});
}

let updated = false;
function aptUpdate(): void {
  if (updated) return;
  updated = true;
  spawnSync('apt-get', ['update', '-q'], {stdio: 'ignore'});
}

/** Installs the host's tools where they are missing. */
export function needHostTools(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Skip('the guests need Linux on x86-64');
  const missing = HOST_TOOLS.filter(([file]) => !existsSync(file)).map(([, name]) => name);
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get')) throw new Skip(`missing ${missing.join(', ')}, and there is no apt-get`);
  if (process.getuid?.() !== 0)
    throw new Skip(`missing ${missing.join(', ')}; run as root: apt-get install ${missing.join(' ')}`);
  aptUpdate();
  const done = spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], {
    env: {...process.env, DEBIAN_FRONTEND: 'noninteractive'},
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Skip(`apt-get cannot install ${missing.join(', ')}: ${lastLine(done.stderr)}`);
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}

export interface Kernel {
  /** `6.1` or `6.12` */
  series: string;
  /** as uname -r prints it */
  release: string;
  vmlinuz: string;
  /** lib/modules/RELEASE */
  modules: string;
  /** where to build modules against it */
  headers: string;
}

/** Newest stock kernel of a series that the configured package sources have. */
function newestRelease(series: string): string {
  const pattern = new RegExp(
    `^linux-image-(${series.replaceAll('.', '\\.')}\\.[0-9]+(?:-[0-9]+|\\+deb[0-9]+(?:u[0-9]+)?)-amd64)$`,
  );
  const find = () =>
    run('apt-cache', ['pkgnames', `linux-image-${series}.`])
      .split('\n')
      .map((name) => pattern.exec(name)?.[1])
      .filter((release) => release !== undefined);
  if (!existsSync('/usr/bin/apt-cache')) throw new Skip('there is no apt-cache to find kernels with');
  let found = find();
  if (found.length === 0) {
    aptUpdate();
    found = find();
  }
  const collator = new Intl.Collator('en', {numeric: true});
  const newest = found.sort(collator.compare).at(-1);
  if (newest === undefined) throw new Skip(`the package sources have no linux-image-${series}.*-amd64`);
  return newest;
}

/** Downloads packages and unpacks them into `to`, once. */
function unpack(names: string[], to: string): void {
  const stamp = join(to, '.complete');
  if (existsSync(stamp)) return;
  rmSync(to, {recursive: true, force: true});
  const debs = `${to}.debs`;
  rmSync(debs, {recursive: true, force: true});
  mkdirSync(debs, {recursive: true});
  mkdirSync(to, {recursive: true});
  try {
    run('apt-get', ['download', '-q', ...names], debs);
  } catch {
    aptUpdate();
    try {
      run('apt-get', ['download', '-q', ...names], debs);
    } catch (error) {
      throw new Skip(
        `apt-get cannot download ${names.join(', ')}: ${lastLine((error as {stderr?: string}).stderr ?? '')}`,
      );
    }
  }
  for (const deb of readdirSync(debs)) run('dpkg', ['-x', join(debs, deb), to]);
  rmSync(debs, {recursive: true, force: true});
  writeFileSync(stamp, names.join('\n'));
}

/** A stock kernel with its modules and headers, unpacked in the cache. */
export function stockKernel(series: string): Kernel {
  const release = newestRelease(series);
  const base = release.replace(/-amd64$/, '');
  const kbuild = run('apt-cache', ['depends', `linux-headers-${release}`])
    .split('\n')
    .map((line) => /Depends: (linux-kbuild-\S+)/.exec(line)?.[1])
    .find((name) => name !== undefined);
  if (kbuild === undefined) throw new Skip(`the package sources have no headers for ${release}`);
  const root = join(CACHE, `kernel-${release}`);
  unpack([`linux-image-${release}`, `linux-headers-${release}`, `linux-headers-${base}-common`, kbuild], root);
  const headers = join(root, 'usr/src', `linux-headers-${release}`);
  const makefile = join(headers, 'Makefile');
  writeFileSync(
    makefile,
    readFileSync(makefile, 'utf8').replace(/^include \/usr\/src/m, `include ${join(root, 'usr/src')}`),
  );
  // only there for module BTF, which would need pahole
  rmSync(join(headers, 'vmlinux'), {force: true});
  return {
    series,
    release,
    vmlinuz: join(root, 'boot', `vmlinuz-${release}`),
    modules: join(root, 'lib/modules', release),
    headers,
  };
}

/** A directory with these packages and all they depend on, to run as another root in the guest. */
export function toolsRoot(packages: string[]): string {
  const root = join(CACHE, `tools-${packages.join('-')}`);
  const names = run('apt-cache', [
    'depends',
    '--recurse',
    '--no-recommends',
    '--no-suggests',
    '--no-conflicts',
    '--no-breaks',
    '--no-replaces',
    '--no-enhances',
    '--no-pre-depends',
    ...packages,
  ])
    .split('\n')
    .filter((line) => /^[a-z0-9]/.test(line))
    .filter((name) => !/:i386$|^(debconf|dpkg|perl-base|cdebconf|install-info|gcc|cpp)/.test(name));
  unpack([...new Set([...packages, ...names])], root);
  return root;
}
