/** One run: a machine, a kernel, a workload and what it knows about itself, all from one seed. */
import {
  assign,
  type Bug,
  directIo,
  type Feature,
  FEATURES,
  follow,
  LATER_FEATURES,
  look,
  pipe,
  receive,
  register,
  ring,
  send,
  sendfile,
  share,
  Stage,
  writeRemotely,
} from './actors.js';
import {Random} from '../../fuzz/random.js';
import {giveBack, moveFilePage, poison, reclaim, split} from './changes.js';
import {Device, type Style} from './device.js';
import {type Build, Kernel, type Release} from './kernel.js';
import {fork, migrate, Region, splitPmd, swapOut} from './memory.js';
import {Disk, Mirror} from './storage.js';
import {Truth} from './truth.js';
import {type Deed, inTurn, World} from './world.js';

export interface Run {
  world: World;
  kernel: Kernel;
  truth: Truth;
  build: Build;
  bug: Bug | undefined;
  features: readonly Feature[];
}

const RELEASES: readonly Release[] = ['5.10', '6.1', '6.12', '6.12', '6.18'];
export const BUGS: readonly Bug[] = [
  'early-unpin',
  'unpin-before-unmap',
  'double-unpin',
  'put-on-pin',
  'leak',
  'late-dirty',
  'early-put',
  'unpin-of-get',
  'early-unpin-and-free',
];

/** How often a task is preempted between two steps: never, or as with CONFIG_PREEMPT. */
const PREEMPTED: readonly number[] = [0, 0, 0.002, 0, 0.02];

export interface Wish {
  bug?: Bug | 'none';
  release?: Release;
  refs?: boolean;
  /** just these; some by the seed without it */
  features?: readonly Feature[];
}

export function simulate(seed: number, wish: Wish = {}): Run {
  const start = 10_000_000_000;
  const world = new World(seed, 2 + (seed % 3), start, PREEMPTED[seed % PREEMPTED.length]!);
  const {random} = world;
  const release = wish.release ?? random.of(RELEASES);
  const refs = wish.refs ?? random.chance(0.5);
  const build: Build = {
    release,
    refs,
    vmemmap: random.chance(0.3) ? 0xffffea0040000000n : 0xffffea0000000000n,
    shift: 12,
  };
  const planted = wish.bug ?? (random.chance(0.5) ? 'none' : random.of(BUGS));
  const bug = planted === 'none' ? undefined : planted;
  const truth = new Truth();
  truth.strict = bug === undefined;
  const kernel = new Kernel(world, truth, build);
  const until = start + world.between(15_000_000, 60_000_000);
  const regions: Region[] = [];
  const chosen = new Random(seed ^ 0x2c1b3c6d);
  const some: Feature[] = FEATURES.filter(() => chosen.chance(0.25));
  some.push(...LATER_FEATURES.filter((_, i) => new Random(seed ^ (0x3d4d51cb + i * 0x9e3779b1)).chance(0.2)));
  const features = new Set(wish.features ?? some);
  if (features.has('arm64')) Object.assign(build, arm64(seed));
  const stage = new Stage(kernel, regions, until, bug, features);
  if (features.has('cma')) kernel.haveCma();
  kernel.breaksBlocks = features.has('buddy');
  const stacks = features.has('stacks') ? new Random(seed ^ 0x6b43a9b5) : undefined;
  world.keepsStacks = kernel.thorough = stacks !== undefined;

  const iommu = random.chance(0.3);
  const bounced = !iommu && random.chance(0.1);
  const device = (name: string, api: Style['api'], block = '259,0', keeps = false): Device =>
    new Device(kernel, name, {api, iommu: iommu || api === 'iommu', keeps, bounced: bounced && api !== 'iommu'}, block);
  const nvme618 = release === '6.18' && !iommu && !bounced;
  const nvme = device(
    '0000:00:03.0',
    release === '6.18' ? (iommu ? 'iommu' : 'pieces') : random.of(['list', 'pieces'] as const),
    '259,0',
    nvme618,
  );
  const virtio = device('virtio0', random.of(['list', 'list', 'none'] as const), '254,0');
  const card = device('0000:00:05.0', 'pieces');
  const hca = device('mlx5_0', 'list');
  const camera = device('0000:00:07.0', 'pieces');
  const gpu = device('0000:01:00.0', 'pieces');
  const vfio = device('', 'iommu');
  const disks = [nvme, virtio].map((d) => new Disk(kernel, d, world.between(30_000, 600_000), features));
  const direct = features.has('mirrored') ? [new Mirror(kernel, disks), disks[1]!] : disks;

  const fileHazards = random.chance(0.4) || bug === 'late-dirty';
  const kinds = fileHazards ? ['anon', 'shmem', 'file'] : ['anon', 'shmem'];
  let va = 0x7f0000000000;
  const newRegion = function* (kind: Region['kind'], order: number, folios: number): Deed {
    va += 0x40000000;
    const region = new Region(kernel, va, kind, order);
    region.disk = disks[0];
    region.pooled = order === kernel.pmdOrder && features.has('hugetlb');
    region.lazy = stacks?.chance(0.5) === true && kind === 'anon' && order > 0 && !region.pooled;
    yield* region.fill(folios);
    if (features.has('zero') && kind === 'anon' && order === 0)
      for (const spot of region.spots.keys()) {
        const {folio} = region.spots[spot]!;
        if (!chosen.chance(0.3) || folio.count !== 1) continue;
        region.spots[spot] = {folio: kernel.zero, pfn: kernel.zero.pfn};
        yield* kernel.zap([folio]);
      }
    regions.push(region);
  };
  const sized = function* (): Deed {
    const what = random.below(10);
    if (what < 5) yield* newRegion('anon', 0, 4 + random.below(16));
    else if (what < 7) yield* newRegion('anon', 4, 1 + random.below(2));
    else if (what < 8) yield* newRegion('anon', build.shift > 14 ? 5 : kernel.pmdOrder, 1);
    else if (what < 9)
      if (features.has('memfd')) yield* newRegion('shmem', random.of([0, 4]), 2 + random.below(3));
      else yield* newRegion('shmem', 0, 4 + random.below(6));
    else yield* newRegion('file', release === '6.18' && random.chance(0.5) ? 2 : 0, 3 + random.below(4));
  };
  const begin = function* (): Deed {
    for (let i = 0; i < 3; i++) yield* sized();
    yield* newRegion('file', 0, 4);
  };
  const spawn = (comm: string, deed: Deed): void =>
    world.spawn(world.task(comm), deed, world.between(300_000, 3_000_000));

  world.spawn(world.task('app'), begin());
  const candidates: (() => [comm: string, deed: Deed])[] = [
    () => ['fio', directIo(stage, direct[0]!, kinds)],
    () => ['fio', directIo(stage, direct[0]!, kinds)],
    () => ['dd', directIo(stage, direct[1]!, kinds)],
    () => ['ib_write_bw', register(stage, [hca, camera], disks[0]!)],
    () => ['v4l2', register(stage, [camera, hca], disks[0]!)],
    () => ['uring', ring(stage, disks[0]!)],
    () => ['gdb', look(stage)],
    () => ['nginx', send(stage, card)],
    () => ['httpd', sendfile(stage, card)],
    () => ['napi/eth0', receive(stage, card)],
    () => ['gpu', follow(stage, gpu)],
    () => ['qemu', assign(stage, vfio)],
  ];
  if (features.has('sockets')) candidates.push(() => ['fio', writeRemotely(stage, card)]);
  if (features.has('pipes')) candidates.push(() => ['yes', pipe(stage)]);
  if (features.has('memfd') && !kernel.old) candidates.push(() => ['qemu', share(stage, gpu)]);
  const wanted = 3 + random.below(7);
  for (let i = 0; i < wanted; i++) spawn(...random.of(candidates)());
  if (bug !== undefined) needed(bug).forEach((i) => spawn(...candidates[i]!()));

  if (features.has('one program')) {
    const other = new Random(seed ^ 0x9b05688c);
    const deeds = Array.from({length: 3 + other.below(4)}, () => other.of(candidates)()[1]);
    spawn('server', inTurn(world, deeds));
  }

  spawn(
    'kcompactd0',
    ever(stage, 1_000_000, function* () {
      yield* migrate(kernel, random.of(regions));
    }),
  );
  spawn(
    'app',
    ever(stage, 6_000_000, function* () {
      const region = random.of(regions);
      const what = random.below(4);
      if (what === 0) yield* fork(kernel, region);
      else if (what === 1) yield* splitPmd(kernel, region);
      else if (what === 2 && regions.length > 2) {
        regions.splice(regions.indexOf(region), 1);
        yield* region.munmap();
      } else if (regions.length < 6) yield* sized();
    }),
  );
  const changes = [
    ...(features.has('given-back') ? [giveBack] : []),
    ...(features.has('reclaim') ? [reclaim] : []),
    ...(features.has('split') ? [split] : []),
    ...(features.has('poisoned') ? [poison] : []),
    ...(features.has('moved') ? [moveFilePage] : []),
  ];
  for (const change of changes)
    spawn(
      'khugepaged',
      ever(stage, 700_000, function* () {
        yield* change(kernel, random.of(regions));
      }),
    );
  if (random.chance(0.4))
    spawn(
      'kswapd0',
      ever(stage, 1_500_000, function* () {
        yield* swapOut(kernel, random.of(regions), disks[random.below(2)]!);
      }),
    );
  spawn(
    'kworker/u8:3',
    ever(stage, 3_000_000, function* () {
      const region = random.of(regions);
      if (region.kind !== 'file' || !(yield* region.lock())) return;
      region.enter();
      region.unlock();
      for (const folio of region.folios) yield* disks[0]!.writeOut(folio);
      region.leave();
    }),
  );
  spawn(
    'cp',
    ever(stage, 2_000_000, function* () {
      const region = random.of(regions);
      if (region.kind === 'anon' || !(yield* region.lock())) return;
      region.enter();
      region.unlock();
      const folio = random.of(region.folios);
      if (folio.free) return region.leave();
      if (random.chance(0.5)) yield* kernel.writeFault(folio);
      else {
        yield* kernel.lock(folio);
        yield* kernel.markDirty(folio);
        kernel.unlock(folio);
      }
      region.leave();
    }),
  );
  spawn(
    'kworker/0:0',
    ever(stage, 2_000_000, () => kernel.drain()),
  );
  // others go on, so that the trace does not end with the workload
  world.run(until + 30_000_000);
  world.spawn(
    world.task('bash'),
    (function* () {
      for (let i = 0; i < 5; i++) {
        const folio = yield* kernel.anon();
        yield {sleep: 100_000};
        yield* kernel.zap([folio]);
      }
    })(),
  );
  world.run(until + 40_000_000);
  return {world, kernel, truth, build, bug, features: [...features]};
}

/** Where struct pages begin follows from the size of a page and from where memory does (arch/arm64/include/asm/memory.h). */
function arm64(seed: number): Pick<Build, 'shift' | 'vmemmap'> {
  const random = new Random(seed ^ 0x1b873593);
  const shift = random.of([12, 14, 16]);
  const base = {12: 0xfffffdffc0000000n, 14: 0xfffffffefff00000n, 16: 0xffffffff7ffc0000n}[shift]!;
  return {shift, vmemmap: base - (random.chance(0.5) ? 0x40000000n >> BigInt(shift - 6) : 0n)};
}

function needed(bug: Bug): readonly number[] {
  if (bug === 'unpin-of-get') return [6, 6];
  if (bug === 'early-put') return [7, 0];
  return [3, 4, 0];
}

/** Does it again and again, now and then. */
function* ever(stage: Stage, pause_ns: number, deed: () => Deed): Deed {
  while (!stage.over) {
    yield {sleep: stage.k.w.between(pause_ns / 3, pause_ns * 2)};
    if (stage.regions.length > 0) yield* deed();
  }
}
