/**
 * Gets what the guests are made of from Debian's packages: QEMU is installed, kernels, the compilers for their test
 * module, and the tools for the guest are only downloaded and unpacked, so that this machine stays as it is. Each
 * release of Debian has package lists of its own in the cache, from the mirror that this machine's own sources name.
 */
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';

/** A reason not to run, in words. */
export class Skip extends Error {}

/** Everything downloaded or built stays here between runs. */
export const CACHE =
  process.env['PINSCOPE_KERNEL_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'pinscope');

/** As Debian names them. */
export type Arch = 'amd64' | 'arm64';

/** As the paths of libraries have it. */
export const TRIPLET: Record<Arch, string> = {amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu'};

/** The releases that kernels are taken from, with the suites beside them. */
type Release = 'bullseye' | 'bookworm' | 'trixie';
const SUITES: Record<Release, readonly string[]> = {
  bullseye: ['bullseye', 'bullseye-updates', 'bullseye-security'],
  bookworm: ['bookworm', 'bookworm-updates', 'bookworm-security'],
  trixie: ['trixie', 'trixie-updates', 'trixie-security', 'trixie-backports'],
};

/** What is tested: a series of kernels, and where it comes from. */
export const TARGETS = {
  '5.10': {series: '5.10', arch: 'amd64', release: 'bullseye'},
  '6.1': {series: '6.1', arch: 'amd64', release: 'bookworm'},
  '6.12': {series: '6.12', arch: 'amd64', release: 'bookworm'},
  '6.16': {series: '6.16', arch: 'amd64', release: 'trixie'},
  '6.18': {series: '6.18', arch: 'amd64', release: 'trixie'},
  '7.2': {series: '7.2', arch: 'amd64', release: 'trixie'},
  '7.3': {series: '7.3', arch: 'amd64', release: 'trixie'},
  '6.12-arm64': {series: '6.12', arch: 'arm64', release: 'trixie'},
  '6.12-arm64-16k': {series: '6.12', arch: 'arm64', release: 'trixie', kind: 'arm64-16k'},
  '7.3-arm64': {series: '7.3', arch: 'arm64', release: 'trixie'},
  '6.12-rt': {series: '6.12', arch: 'amd64', release: 'trixie', kind: 'rt-amd64'},
  '7.3-rt': {series: '7.3', arch: 'amd64', release: 'trixie', kind: 'rt-amd64'},
} as const satisfies Record<string, {series: string; arch: Arch; release: Release; kind?: string}>;
export type Target = keyof typeof TARGETS;

/** Program and the package that has it. */
const HOST_TOOLS: readonly (readonly [string, string])[] = [
  ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
  ['/usr/bin/qemu-system-aarch64', 'qemu-system-arm'],
  ['/usr/bin/xz', 'xz-utils'],
  ['/usr/bin/cpio', 'cpio'],
  ['/usr/bin/unshare', 'util-linux'],
  ['/sbin/mke2fs', 'e2fsprogs'],
];

function run(program: string, args: readonly string[], cwd?: string): string {
  return execFileSync(program, args, {cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28});
}

function lastLine(text: string | null | undefined): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}

/** What a program that failed said last. */
export function reasonOf(error: unknown): string {
  const {stderr} = error as {stderr?: string | Buffer};
  return lastLine(stderr?.toString()) || String(error).slice(0, 300);
}

/** Installs the host's tools where they are missing. */
export function needHostTools(targets: readonly Target[]): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Skip('the guests need Linux on x86-64');
  if (!existsSync('/usr/bin/apt-get')) throw new Skip('there is no apt-get to get kernels with');
  const arm = targets.some((target) => TARGETS[target].arch === 'arm64');
  const missing = HOST_TOOLS.filter(([file]) => !existsSync(file))
    .map(([, name]) => name)
    .filter((name) => arm || name !== 'qemu-system-arm');
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0)
    throw new Skip(`missing ${missing.join(', ')}; run as root: apt-get install ${missing.join(' ')}`);
  spawnSync('apt-get', ['update', '-q'], {stdio: 'ignore'});
  const done = spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], {
    env: {...process.env, DEBIAN_FRONTEND: 'noninteractive'},
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Skip(`apt-get cannot install ${missing.join(', ')}: ${lastLine(done.stderr)}`);
}

/** The mirrors of Debian and of its security updates that this machine's own sources name. */
function mirrors(): {main: string; security: string} {
  const lines = run('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN) $(CODENAME) $(REPO_URI)',
    'Identifier: Packages',
  ])
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([origin]) => origin === 'Debian');
  const security = lines.find(([, codename]) => codename?.endsWith('-security'))?.[2];
  const main = lines.find(([, codename]) => codename !== undefined && !codename.includes('-'))?.[2];
  if (main === undefined) throw new Skip("this machine's package sources name no mirror of Debian");
  return {main, security: security ?? main.replace(/debian\/?$/, 'debian-security/')};
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DAY_MS = 86_400_000;
const lists = new Map<Release, readonly string[]>();

/** Options for apt that make it see one release of Debian, and change nothing of this machine. */
function aptOptions(release: Release): readonly string[] {
  const known = lists.get(release);
  if (known !== undefined) return known;
  const root = join(CACHE, `apt-${release}`);
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(root, part), {recursive: true});
  writeFileSync(join(root, 'status'), '');
  const {main, security} = mirrors();
  const source = (suite: string) =>
    `deb [arch=amd64,arm64 signed-by=${KEYRING}] ${suite.endsWith('-security') ? security : main} ${suite} main`;
  writeFileSync(join(root, 'sources.list'), `${SUITES[release].map(source).join('\n')}\n`);
  const options = [
    `Dir::Etc::sourcelist=${join(root, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    'Dir::Etc::preferencesparts=/dev/null',
    `Dir::State=${root}`,
    `Dir::State::status=${join(root, 'status')}`,
    `Dir::Cache=${root}`,
    'APT::Architecture=amd64',
    'APT::Architectures::=amd64',
    'APT::Architectures::=arm64',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const stamp = join(root, 'updated');
  if (!existsSync(stamp) || Date.now() - statSync(stamp).mtimeMs > DAY_MS) {
    try {
      run('apt-get', [...options, 'update', '-q', '-o', 'APT::Update::Error-Mode=any']);
    } catch (error) {
      throw new Skip(`the packages of ${release} cannot be listed: ${reasonOf(error)}`);
    }
    writeFileSync(stamp, '');
  }
  lists.set(release, options);
  return options;
}

function aptCache(release: Release, args: readonly string[]): string[] {
  return run('apt-cache', [...aptOptions(release), ...args]).split('\n');
}

/**
 * A directory in which /bin, /sbin, /lib and /lib64 are those of /usr, as in any Debian of today; packages that are not
 * there yet are downloaded and unpacked into it.
 */
function unpack(release: Release, root: string, packages: readonly string[]): string {
  const stamps = join(root, '.packages');
  mkdirSync(stamps, {recursive: true});
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', dir), {recursive: true});
    if (lstatSync(join(root, dir), {throwIfNoEntry: false}) === undefined) symlinkSync(`usr/${dir}`, join(root, dir));
  }
  for (const dir of ['dev', 'proc', 'tmp']) mkdirSync(join(root, dir), {recursive: true});
  const missing = packages.filter((name) => !existsSync(join(stamps, name)));
  if (missing.length === 0) return root;
  const debs = join(root, '.debs');
  rmSync(debs, {recursive: true, force: true});
  mkdirSync(debs);
  try {
    run('apt-get', [...aptOptions(release), 'download', '-q', ...missing], debs);
  } catch (error) {
    throw new Skip(`apt-get cannot download ${missing.slice(0, 5).join(', ')} of ${release}: ${reasonOf(error)}`);
  }
  for (const deb of readdirSync(debs)) {
    run('sh', [
      '-c',
      'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"',
      'sh',
      join(debs, deb),
      root,
    ]);
  }
  rmSync(debs, {recursive: true, force: true});
  for (const name of missing) writeFileSync(join(stamps, name), '');
  return root;
}

/** These packages and all they depend on. */
function withDependencies(release: Release, packages: readonly string[]): string[] {
  const options = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const names = aptCache(release, ['depends', '--recurse', ...options.map((name) => `--no-${name}`), ...packages])
    .filter((line) => /^[a-z0-9]/.test(line))
    .filter((name) => !/^(debconf|cdebconf|install-info|perl-base)/.test(name));
  return [...new Set([...packages, ...names])];
}

/** The same, those that run here. */
function native(release: Release, packages: readonly string[]): string[] {
  return withDependencies(release, packages).filter((name) => !name.includes(':'));
}

/** A directory with these packages of an architecture and all they depend on, to run as another root in the guest. */
export function toolsRoot(target: Target, packages: readonly string[]): string {
  const {release, arch} = TARGETS[target];
  const foreign = arch === 'arm64' ? ':arm64' : '';
  const named = withDependencies(
    release,
    packages.map((name) => `${name}${foreign}`),
  ).filter(
    (name) =>
      !/^(dpkg|gcc-[0-9]|cpp)(?!.*-base)/.test(name) && (foreign === '' ? !/:/.test(name) : name.endsWith(':arm64')),
  );
  return unpack(release, join(CACHE, `root-${release}-${arch}-${packages.join('-')}`), named);
}

export interface Kernel {
  target: Target;
  arch: Arch;
  /** `5.10`, `6.1`, `6.12` or `7.3` */
  series: string;
  /** as uname -r prints it */
  release: string;
  vmlinuz: string;
  /** lib/modules/RELEASE */
  modules: string;
}

/** Newest stock kernel of a target that the package sources have. */
function newestRelease(target: Target): string {
  const {series, arch, release} = TARGETS[target];
  // what a package's name ends with
  const kind = 'kind' in TARGETS[target] ? TARGETS[target].kind : arch;
  const version = `${series.replaceAll('.', '\\.')}\\.[0-9]+(?:-[0-9]+|\\+deb[0-9]+(?:u[0-9]+)?)`;
  const pattern = new RegExp(`^linux-image-(${version}-${kind})(?::${arch})?$`);
  const collator = new Intl.Collator('en', {numeric: true});
  const newest = aptCache(release, ['pkgnames', `linux-image-${series}.`])
    .map((name) => pattern.exec(name)?.[1])
    .filter((name) => name !== undefined)
    .sort(collator.compare)
    .at(-1);
  if (newest === undefined) throw new Skip(`${release} has no linux-image-${series}.*-${kind}`);
  return newest;
}

/** The parts of a kernel's packages that are packages of their own, from 7.x on. */
const PARTS = /^ {2}Depends: (linux-(?:binary|modules|base)-[0-9][^ :]*)/;

/** A stock kernel with its modules, unpacked in the cache. */
export function stockKernel(target: Target): Kernel {
  const {series, arch, release: debian} = TARGETS[target];
  const release = newestRelease(target);
  const foreign = arch === 'arm64' ? ':arm64' : '';
  const image = `linux-image-${release}${foreign}`;
  const parts = aptCache(debian, ['depends', image]).flatMap((line) => PARTS.exec(line)?.[1] ?? []);
  const root = unpack(debian, join(CACHE, `kernel-${release}`), [image, ...parts.map((name) => `${name}${foreign}`)]);
  const modules = join(root, 'lib/modules', release);
  const vmlinuz = [join(root, 'boot', `vmlinuz-${release}`), join(modules, 'vmlinuz')].find((file) => existsSync(file));
  if (vmlinuz === undefined) throw new Error(`the packages of ${release} hold no vmlinuz`);
  return {target, arch, series, release, vmlinuz, modules};
}

/** What a compiler and a make of a kernel's module need beside themselves. */
const BUILD = 'gcc make libc6-dev bash dash coreutils sed grep mawk findutils diffutils bc'.split(' ');
const BUILD_ARM64 = ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'];

/** A root directory with the compilers of the release that a kernel is of. */
function buildRoot(target: Target): string {
  const {release, arch} = TARGETS[target];
  const packages = [...BUILD, ...(arch === 'arm64' ? BUILD_ARM64 : [])];
  const root = unpack(release, join(CACHE, `root-${release}-build`), native(release, packages));
  // made by maintainer scripts otherwise
  for (const [name, to] of [
    ['sh', 'dash'],
    ['awk', 'mawk'],
  ] as const) {
    const link = join(root, 'usr/bin', name);
    if (lstatSync(link, {throwIfNoEntry: false}) === undefined) symlinkSync(to, link);
  }
  return root;
}

/** Runs a program in another root directory, in a mount namespace of its own: /dev and /proc are there, and nothing stays. */
function runIn(root: string, words: readonly string[]): void {
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  run('unshare', [
    ...user,
    '--mount',
    'sh',
    '-c',
    'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && PATH=/usr/sbin:/usr/bin:/sbin:/bin exec chroot "$0" "$@"',
    root,
    ...words,
  ]);
}

/** Compiles the work of the guests from `files`; the path of the program. */
export function compileWork(target: Target, files: ReadonlyMap<string, Buffer>): string {
  const {arch} = TARGETS[target];
  const root = buildRoot(target);
  const dir = `/tmp/work-${target}`;
  lay(join(root, dir), files);
  const gcc = arch === 'arm64' ? 'aarch64-linux-gnu-gcc' : 'gcc';
  const flags = ['-static', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
  const parts = [...files.keys()].filter((name) => name.endsWith('.c')).map((name) => `${dir}/${name}`);
  runIn(root, [gcc, ...flags, '-o', `${dir}/work`, ...parts]);
  return join(root, dir, 'work');
}

/** Compiles a module from `files` against the kernel's headers. Throws a Skip where these cannot be had. */
export function compileModule(kernel: Kernel, files: ReadonlyMap<string, Buffer>, name: string): string {
  const {release: debian, arch} = TARGETS[kernel.target];
  const foreign = arch === 'arm64' ? ':arm64' : '';
  const headers = `linux-headers-${kernel.release}${foreign}`;
  // older kernels stay in a mirror's lists longer than their headers
  const isThere = aptCache(debian, ['pkgnames', `linux-headers-${kernel.release}`]).some(
    (name) => name === headers || `${name}${foreign}` === headers,
  );
  const needs = (isThere ? aptCache(debian, ['depends', headers]) : []).map(
    (line) => /(linux-(?:kbuild|headers)-[^ :>]+)/.exec(line)?.[1],
  );
  const [kbuild] = needs.filter((word) => word?.startsWith('linux-kbuild-'));
  const [common] = needs.filter((word) => /-common(-rt)?$/.test(word ?? ''));
  if (kbuild === undefined || common === undefined) throw new Skip(`${debian} has no headers for ${kernel.release}`);
  const root = unpack(debian, buildRoot(kernel.target), [headers, common, ...native(debian, [kbuild])]);
  const tree = `/usr/src/linux-headers-${kernel.release}`;
  // only there for module BTF, which would need pahole
  rmSync(join(root, tree, 'vmlinux'), {force: true});
  const dir = `/tmp/${name}-${kernel.release}`;
  lay(join(root, dir), files);
  const cross = arch === 'arm64' ? ['CROSS_COMPILE=aarch64-linux-gnu-'] : [];
  runIn(root, ['make', '-s', '-C', tree, `M=${dir}`, ...cross, 'modules']);
  return join(root, dir, `${name}.ko`);
}

/** Writes files, by path, into an empty directory. */
function lay(dir: string, files: ReadonlyMap<string, Buffer>): void {
  rmSync(dir, {recursive: true, force: true});
  for (const [path, text] of files) {
    mkdirSync(join(dir, path, '..'), {recursive: true});
    writeFileSync(join(dir, path), text);
  }
}
