/**
 * The bpftrace program, one clause a probe. Its lines are documented in docs/bpftrace-schema.md and read by
 * parsers/bpftrace. Written for bpftrace 0.17 and newer: no fentry and no BTF needed.
 *
 * PFNs are computed in the kernel: (page - base) / sizeof(struct page). The base is where the struct page of PFN 0 is or
 * would be; the script finds it out and checks the 64 bytes on the way (facts.ts).
 */
import type {Group} from './groups.js';
import type {RecordOptions} from './options.js';
import {PROBES} from './probes.js';

export interface Clause {
  group: Group;
  /** `kprobe:…`, `kretprobe:…` or `tracepoint:…` */
  probe: string;
  /** the event as it is printed */
  name: string;
  body: string;
  /** only without these functions and events: an older name of the same thing, or a probe that stands for a tracepoint */
  unless?: string;
  since?: readonly [number, number];
  until?: readonly [number, number];
}

const PREFIX = '%llu cpu=%d pid=%d tid=%d comm=%s ';
const CONTEXT = 'nsecs, cpu, pid, tid, comm';

/** Frames of a kernel stack after an event with --stacks. */
const STACK_DEPTH = 12;

/** Entries of a scatterlist that are printed at most; `i=0/300` tells of the rest. A bounded loop (Linux 5.3 and later). */
const SG_ENTRIES = 64;

/**
 * DMA functions are probed where there are no dma:* events (before 6.12), or bpftrace misreads their strings; every kernel
 * that has any of them has this one. From 6.18 on dma_map_page_attrs() is a wrapper of dma_map_phys().
 */
const WITHOUT_EVENTS = {unless: 'dma/dma_map_sg'};
const WITHOUT_PHYS = {unless: 'dma/dma_map_sg,dma_map_phys'};

const pfnOf = (page: string) => `((uint64)${page} - @vm) / 64`;
const device = 'str(*(uint64*)arg0)';

/** A little-endian number of `n` bytes in an array of bytes, from its element `at` on. */
function word(array: string, at: number, n: number): string {
  return Array.from({length: n}, (_, i) => `((uint64)${array}[${at + i}] << ${8 * i})`).join(' | ');
}

/** Groups whose events get a stack. */
const STACKED: readonly Group[] = ['take', 'drop', 'get', 'dma', 'writeback'];

interface Line {
  name: string;
  /** format of the payload, and its values */
  format: string;
  values: readonly string[];
}

function print({name, format, values}: Line, stack: boolean): string {
  const text = `${PREFIX}${name}${format === '' ? '' : ` ${format}`}\\n${stack ? '%s' : ''}`;
  const args = [CONTEXT, ...values, ...(stack ? [`kstack(perf, ${STACK_DEPTH})`] : [])];
  return `printf("${text}", ${args.join(', ')});`;
}

/** `dma_map_sg_ent … i=k/n` for each entry of a list at `$sg` with `$n` entries. */
function scatterlist(name: string): string {
  const line = print(
    {
      name,
      format: 'dev=%s i=%d/%d pfn=0x%llx off=%d len=%d dir=%d',
      values: [
        '$dev',
        '$i',
        '$n',
        '((*(uint64*)$sg & 0xfffffffffffffffc) - @vm) / 64',
        '*(uint32*)($sg + 8)',
        '*(uint32*)($sg + 12)',
        '$dir',
      ],
    },
    false,
  );
  const end = 'if ($i >= $n) { break; }';
  return `$dev = ${device}; $i = (uint64)0; while ($i < ${SG_ENTRIES}) { ${end} ${line} $i = $i + 1; $sg = $sg + 32; }`;
}

/** All candidates. `args->` fields are those of include/trace/events of 6.1 and 6.12. */
export function clauses(options: RecordOptions): Clause[] {
  const found: Clause[] = [];
  const add = (group: Group, probe: string, line: Line, more: Partial<Clause> = {}) => {
    const stack = options.stacks && STACKED.includes(group) && !line.name.endsWith('_ret');
    found.push({group, probe, name: line.name, body: print(line, stack), ...versions(probe), ...more});
  };
  const page = (group: Group, func: string, name = func, argument = 'arg0', more: Partial<Clause> = {}) =>
    add(group, `kprobe:${func}`, {name, format: 'pfn=0x%llx', values: [pfnOf(argument)]}, more);
  const grab = (group: Group, func: string) =>
    add(group, `kprobe:${func}`, {
      name: func,
      format: 'pfn=0x%llx refs=%d flags=0x%x',
      values: [pfnOf('arg0'), '(int32)arg1', '(uint32)arg2'],
    });
  const result = (
    group: Group,
    func: string,
    name: string,
    format: string,
    value: string,
    more: Partial<Clause> = {},
  ) => add(group, `kretprobe:${func}`, {name: `${name}_ret`, format, values: [value]}, more);

  // try_grab_folio takes a page or a folio by kernel; a folio's address is its first page's, and pfn= is of that
  grab('take', 'try_grab_folio');
  grab('take', 'try_grab_folio_fast');
  grab('take', 'try_grab_compound_head');
  result('take', 'try_grab_folio_fast', 'try_grab_folio_fast', 'ret=0x%llx', 'retval');
  add('take', 'kprobe:try_grab_page', {
    name: 'try_grab_page',
    format: 'pfn=0x%llx flags=0x%x',
    values: [pfnOf('arg0'), '(uint32)arg1'],
  });
  page('take', 'folio_add_pin');
  add('take', 'kprobe:folio_add_pins', {
    name: 'folio_add_pins',
    format: 'pfn=0x%llx refs=%d',
    values: [pfnOf('arg0'), '(uint32)arg1'],
  });
  for (const [group, func] of [
    ['take', 'pin_user_pages_fast'],
    ['take', 'pin_user_pages'],
    ['get', 'get_user_pages_fast'],
  ] as const) {
    add(group, `kprobe:${func}`, {
      name: func,
      format: 'start=0x%llx nr=%d flags=0x%x',
      values: ['arg0', '(int32)arg1', '(uint32)arg2'],
    });
    result(group, func, func, 'ret=%d', '(int32)retval');
  }
  add('take', 'kprobe:pin_user_pages_remote', {
    name: 'pin_user_pages_remote',
    format: 'start=0x%llx nr=%d flags=0x%x',
    values: ['arg1', '(int32)arg2', '(uint32)arg3'],
  });
  result('take', 'pin_user_pages_remote', 'pin_user_pages_remote', 'ret=%d', '(int32)retval');

  grab('drop', 'gup_put_folio');
  grab('drop', 'put_compound_head');
  page('drop', 'unpin_user_page');
  const first = pfnOf('*(uint64*)arg0');
  add('drop', 'kprobe:unpin_user_pages', {
    name: 'unpin_user_pages',
    format: 'npages=%d first_pfn=0x%llx',
    values: ['arg1', first],
  });
  add('drop', 'kprobe:unpin_user_pages_dirty_lock', {
    name: 'unpin_user_pages_dirty_lock',
    format: 'npages=%d dirty=%d first_pfn=0x%llx',
    values: ['arg1', 'arg2 & 0xff', first],
  });
  add('drop', 'kprobe:unpin_user_page_range_dirty_lock', {
    name: 'unpin_user_page_range_dirty_lock',
    format: 'pfn=0x%llx npages=%d dirty=%d',
    values: [pfnOf('arg0'), 'arg1', 'arg2 & 0xff'],
  });
  add('drop', 'kprobe:unpin_user_folio', {
    name: 'unpin_user_folio',
    format: 'pfn=0x%llx npages=%d',
    values: [pfnOf('arg0'), 'arg1'],
  });
  page('drop', 'unpin_folio');
  add('drop', 'kprobe:unpin_folios', {
    name: 'unpin_folios',
    format: 'npages=%d first_pfn=0x%llx',
    values: ['arg1', first],
  });
  add('drop', 'kprobe:__bio_release_pages', {
    name: 'bio_release_pages',
    format: 'bio=0x%llx dirty=%d',
    values: ['arg0', 'arg1 & 0xff'],
  });

  page('writeback', '__folio_start_writeback', 'folio_start_writeback');
  page('writeback', 'folio_end_writeback');
  page('writeback', 'folio_clear_dirty_for_io');
  page('writeback', '__test_set_page_writeback', undefined, undefined, {unless: '__folio_start_writeback'});
  page('writeback', 'end_page_writeback', undefined, undefined, {unless: 'folio_end_writeback'});
  page('writeback', 'clear_page_dirty_for_io', undefined, undefined, {unless: 'folio_clear_dirty_for_io'});
  page('dirty', 'folio_mark_dirty');
  page('dirty', 'set_page_dirty', undefined, undefined, {unless: 'folio_mark_dirty'});
  page('life', '__folio_put');

  for (const name of ['dma_map_page', 'dma_map_phys']) {
    add('dma', `tracepoint:dma:${name}`, {
      name,
      format: 'dev=%s dir=%d dma_addr=0x%llx phys=0x%llx size=%d',
      values: ['str(args->device)', 'args->dir', 'args->dma_addr', 'args->phys_addr', 'args->size'],
    });
  }
  for (const name of ['dma_unmap_page', 'dma_unmap_phys']) {
    add('dma', `tracepoint:dma:${name}`, {
      name,
      format: 'dev=%s dir=%d dma_addr=0x%llx size=%d',
      values: ['str(args->device)', 'args->dir', 'args->addr', 'args->size'],
    });
  }
  add(
    'dma',
    'kprobe:dma_map_page_attrs',
    {
      name: 'dma_map_page',
      format: 'dev=%s pfn=0x%llx off=%d size=%d dir=%d',
      values: [device, pfnOf('arg1'), 'arg2', 'arg3', '(int32)arg4'],
    },
    WITHOUT_PHYS,
  );
  result('dma', 'dma_map_page_attrs', 'dma_map_page', 'dma_addr=0x%llx', 'retval', WITHOUT_PHYS);
  add(
    'dma',
    'kprobe:dma_unmap_page_attrs',
    {
      name: 'dma_unmap_page',
      format: 'dev=%s dma_addr=0x%llx size=%d dir=%d',
      values: [device, 'arg1', 'arg2', '(int32)arg3'],
    },
    WITHOUT_PHYS,
  );
  // dma_map_phys(dev, phys, size, dir, attrs)
  add(
    'dma',
    'kprobe:dma_map_phys',
    {
      name: 'dma_map_page',
      format: 'dev=%s pfn=0x%llx off=%d size=%d dir=%d',
      values: [device, 'arg1 / PAGE_SIZE', 'arg1 % PAGE_SIZE', 'arg2', '(int32)arg3'],
    },
    WITHOUT_EVENTS,
  );
  result('dma', 'dma_map_phys', 'dma_map_page', 'dma_addr=0x%llx', 'retval', WITHOUT_EVENTS);
  add(
    'dma',
    'kprobe:dma_unmap_phys',
    {
      name: 'dma_unmap_page',
      format: 'dev=%s dma_addr=0x%llx size=%d dir=%d',
      values: [device, 'arg1', 'arg2', '(int32)arg3'],
    },
    WITHOUT_EVENTS,
  );
  // The dma_map_sg tracepoint has lists, which bpftrace cannot walk: the functions are probed on every kernel.
  found.push(
    {
      group: 'dma',
      probe: 'kprobe:dma_map_sg_attrs',
      name: 'dma_map_sg_ent',
      body: `$sg = (uint64)arg1; $n = (uint64)arg2; $dir = (int32)arg3; ${scatterlist('dma_map_sg_ent')}`,
    },
    {
      group: 'dma',
      probe: 'kprobe:dma_map_sgtable',
      name: 'dma_map_sg_ent',
      body: `$sg = *(uint64*)arg1; $n = (uint64)*(uint32*)(arg1 + 12); $dir = (int32)arg2; ${scatterlist('dma_map_sg_ent')}`,
    },
    {
      group: 'dma',
      probe: 'kprobe:dma_unmap_sg_attrs',
      name: 'dma_unmap_sg_ent',
      body: `$sg = (uint64)arg1; $n = (uint64)arg2; $dir = (int32)arg3; ${scatterlist('dma_unmap_sg_ent')}`,
    },
  );

  add('iommu', 'tracepoint:iommu:map', {
    name: 'map',
    format: 'iova=0x%llx paddr=0x%llx size=%llu',
    values: ['args->iova', 'args->paddr', 'args->size'],
  });
  add('iommu', 'tracepoint:iommu:unmap', {
    name: 'unmap',
    format: 'iova=0x%llx size=%llu unmapped_size=%llu',
    values: ['args->iova', 'args->size', 'args->unmapped_size'],
  });

  add('requests', 'tracepoint:block:block_rq_issue', {
    name: 'block_rq_issue',
    format: 'dev=%d sector=%llu nr_sector=%d bytes=%d rwbs=%s',
    values: ['args->dev', 'args->sector', 'args->nr_sector', 'args->bytes', 'args->rwbs'],
  });
  add('requests', 'tracepoint:block:block_rq_complete', {
    name: 'block_rq_complete',
    format: 'dev=%d sector=%llu nr_sector=%d error=%d rwbs=%s',
    values: ['args->dev', 'args->sector', 'args->nr_sector', 'args->error', 'args->rwbs'],
  });
  add('requests', 'tracepoint:block:block_rq_requeue', {
    name: 'block_rq_requeue',
    format: 'dev=%d sector=%llu nr_sector=%d rwbs=%s',
    values: ['args->dev', 'args->sector', 'args->nr_sector', 'args->rwbs'],
  });
  // A command's number tells requests of the same sectors apart. Its first block and one less than its number of blocks are
  // little-endian numbers in its words 10 to 12; no disk has 2^48 blocks.
  add('requests', 'tracepoint:nvme:nvme_setup_cmd', {
    name: 'nvme_setup_cmd',
    format: 'ctrl_id=%d qid=%d cid=%d opcode=%d slba=%llu len=%d',
    values: [
      'args->ctrl_id',
      'args->qid',
      'args->cid',
      'args->opcode',
      word('args->cdw10', 0, 6),
      word('args->cdw10', 8, 2),
    ],
  });
  add('requests', 'tracepoint:nvme:nvme_complete_rq', {
    name: 'nvme_complete_rq',
    format: 'ctrl_id=%d qid=%d cid=%d status=%d',
    values: ['args->ctrl_id', 'args->qid', 'args->cid', 'args->status'],
  });

  add('life', 'tracepoint:kmem:mm_page_alloc', {
    name: 'mm_page_alloc',
    format: 'pfn=0x%llx order=%d',
    values: ['args->pfn', 'args->order'],
  });
  add('life', 'tracepoint:kmem:mm_page_free', {
    name: 'mm_page_free',
    format: 'pfn=0x%llx order=%d',
    values: ['args->pfn', 'args->order'],
  });
  for (const name of ['mm_filemap_add_to_page_cache', 'mm_filemap_delete_from_page_cache']) {
    add('file', `tracepoint:filemap:${name}`, {
      name,
      format: 's_dev=%d i_ino=0x%llx pfn=0x%llx index=%llu',
      values: ['args->s_dev', 'args->i_ino', 'args->pfn', 'args->index'],
    });
  }
  const ref = (name: string, ret: boolean) =>
    add('refs', `tracepoint:page_ref:${name}`, {
      name,
      format: `pfn=0x%llx flags=0x%llx count=%d mapcount=%d mapping=0x%llx mt=%d val=%d${ret ? ' ret=%d' : ''}`,
      values: [
        'args->pfn',
        'args->flags',
        'args->count',
        'args->mapcount',
        'args->mapping',
        'args->mt',
        'args->val',
        ...(ret ? ['args->ret'] : []),
      ],
    });
  for (const name of ['page_ref_set', 'page_ref_mod', 'page_ref_unfreeze']) ref(name, false);
  for (const name of ['and_test', 'and_return', 'unless']) ref(`page_ref_mod_${name}`, true);
  ref('page_ref_freeze', true);
  add('owner', 'tracepoint:io_uring:io_uring_register', {
    name: 'io_uring_register',
    format: 'opcode=%d nr_bufs=%d ret=%d',
    values: ['args->opcode', 'args->nr_bufs', 'args->ret'],
  });
  return found;
}

/** Kernels that have a function, from the table of kprobes. */
function versions(probe: string): Pick<Clause, 'since' | 'until'> {
  const func = probe.slice(probe.indexOf(':') + 1);
  const same = PROBES.filter((entry) => entry.func === func && entry.isReturn === undefined);
  const only = same.length === 1 ? same[0] : undefined;
  return {
    ...(only?.since === undefined ? {} : {since: only.since}),
    ...(only?.until === undefined ? {} : {until: only.until}),
  };
}

/** What every program begins and ends with. `base`: an expression for the address of the struct page of PFN 0. */
export function programHead(base: string): string {
  return `BEGIN { @vm = (uint64)${base}; printf("START vmemmap=0x%llx\\n", @vm); }
END { clear(@vm); }
`;
}

/** One clause as text. bpftrace must not record how it writes its own output. */
export function clauseText(clause: Clause, options: RecordOptions): string {
  const conditions = [
    ...(clause.group === 'dirty' || clause.group === 'file' ? ['comm != "bpftrace"'] : []),
    ...(options.pids.length > 0 ? [`(${options.pids.map((pid) => `pid == ${pid}`).join(' || ')})`] : []),
  ];
  const predicate = conditions.length > 0 ? ` /${conditions.join(' && ')}/` : '';
  return `${clause.probe}${predicate} { ${clause.body} }`;
}
