/**
 * Inputs made to be slow: each gives the pieces of a trace of about `n` lines (or bytes, where it has no lines). Times are
 * in microseconds, PFNs and pids spread, so that nothing but the shape itself is remarkable.
 */
import {gzipSync} from 'node:zlib';

const HEAD = '# tracer: nop\n#\n';
const WL = '              wl-309     [000] .....';

function time(us) {
  return `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`;
}

const hex = (n) => `0x${n.toString(16)}`;

const event = (us, text, before = WL) => `${before}    ${time(us)}: ${text}\n`;
const alloc = (pfn, order = 0) =>
  `mm_page_alloc: page=0 pfn=${hex(pfn)} order=${order} migratetype=1 gfp_flags=GFP_KERNEL`;
const free = (pfn, order = 0) => `mm_page_free: page=0 pfn=${hex(pfn)} order=${order}`;
const ref = (name, pfn, count, val, flags = 'uptodate', ret = '') =>
  `${name}: pfn=${hex(pfn)} flags=${flags} count=${count} mapcount=0 mapping=00000000adb43020 mt=1 val=${val}${ret}`;
const pin = (pfn, count) => ref('page_ref_mod', pfn, count, 1024);
const unpin = (pfn, count) => ref('page_ref_mod_and_test', pfn, count, -1024, 'uptodate', ' ret=0');
const map = (phys, {size = 4096, device = 'nvme0', dir = 'FROM_DEVICE', dma = phys} = {}) =>
  `dma_map_page: ${device} dir=${dir} dma_addr=${dma.toString(16)} size=${size} phys_addr=${phys.toString(16)} attrs=`;
const unmap = (phys, {size = 4096, device = 'nvme0', dir = 'FROM_DEVICE'} = {}) =>
  `dma_unmap_page: ${device} dir=${dir} dma_addr=${phys.toString(16)} size=${size} attrs=`;
const folio = (name, pfn, more = '') =>
  `${name}: (${name}+0x0/0x90) folio=${hex(0xffffea0000000000n + BigInt(pfn) * 64n)}${more} vmemmap=0xffffea0000000000`;
const grab = (pfn, refs = 1) =>
  `try_grab_folio: (try_grab_folio+0x0/0x370) page=${hex(0xffffea0000000000n + BigInt(pfn) * 64n)} refs=${refs} flags=0x80001 vmemmap=0xffffea0000000000`;

/** Lines of a shape, put together to pieces of a reasonable size. */
function* pieces(lines) {
  let piece = '';
  for (const line of lines) {
    piece += line;
    if (piece.length < 1 << 18) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

/** A trace of `n` times what `each` gives for a number. */
const repeat = (each, {before = () => ''} = {}) =>
  function* (n) {
    yield* pieces(
      (function* () {
        yield HEAD + event(1_000_000, alloc(0x2510));
        yield before(n);
        for (let i = 0; i < n; i++) yield each(i, 2_000_000 + i, n);
      })(),
    );
  };

/** All of one line, then all of another: what the first opens stays open until the second begins. */
const twice = (first, second) => {
  const half = (n) => Math.floor(n / 2);
  return repeat((i, us, n) => event(us, i < half(n) ? first(i, half(n)) : second(i - half(n), half(n))));
};

const PAGE = 0x2510;
const PHYS = PAGE * 4096;

/** A page that is pinned, mapped, unpinned while mapped, unmapped: a finding. */
function* mistake(us, pfn, before) {
  const phys = pfn * 4096;
  yield event(us, ref('page_ref_mod', pfn, 1026, 1024), before);
  yield event(us + 10, map(phys), before);
  yield event(us + 20, unpin(pfn, 2), before);
  yield event(us + 30, unmap(phys), before);
}

const seen = () =>
  ['page_ref_mod', 'page_ref_mod_unless', 'page_ref_mod_and_test']
    .map((name, i) =>
      event(1_000_001 + i, ref(name, 0x9999, 2 + (i % 2), i % 2 === 0 ? 1 : -1, 'uptodate', i > 0 ? ' ret=1' : '')),
    )
    .join('');

const mistakes = (n, pfnOf, taskOf = () => WL, gap_us = 100, between = () => '') =>
  pieces(
    (function* () {
      yield HEAD + event(1_000_000, alloc(PAGE)) + seen();
      for (let i = 0; i < n / 4; i++) {
        yield* mistake(2_000_000 + i * gap_us, pfnOf(i), taskOf(i));
        yield between(i, 2_000_000 + i * gap_us + 40);
      }
    })(),
  );

const perf = (us, text, cpu = 0) =>
  `              wl     309 [00${cpu}] ${time(us).padStart(12)}:       page_ref:${text}\n`;

/** Of Knuth's factor, modulo 2^32 (Newton's iteration). */
const INVERSE = [1, 2, 3, 4, 5].reduce((x) => Math.imul(x, 2 - Math.imul(0x9e3779b1, x)), 0x9e3779b1);

/** PFNs that a multiplicative hash without a seed puts into few slots. */
function colliding(i) {
  const high = (i >>> 15) & 0xff;
  const product = ((i & 0x7f) << 25) | ((i >>> 7) & 0xff);
  return ((Math.imul(product, INVERSE) ^ high) >>> 0) + 0x100000000 * high;
}

const MAIL = 'From: a@example.org\nSubject: Re: trace\nContent-Type: text/plain; charset=utf-8\n\nHere it is:\n\n';

/**
 * name, `n` of the smallest size, what gives the bytes. A shape with `gzip` is compressed as it is written.
 */
export const SHAPES = [
  {
    name: 'one endless line',
    n: 4e7,
    make: function* (n) {
      yield HEAD + event(1e6, alloc(PAGE)) + event(1e6 + 1, 'page_ref_mod: ');
      for (let i = 0; i < n; i += 1 << 20) yield 'pfn=0x25 '.repeat((1 << 20) / 8);
    },
  },
  {
    name: 'lines of just a megabyte',
    n: 40,
    make: function* (n) {
      yield HEAD + event(1e6, alloc(PAGE));
      for (let i = 0; i < n; i++) yield event(2e6 + i, `page_ref_mod: ${'pfn=0x25,'.repeat(116_000)}`);
    },
  },
  {
    name: 'perf lines of just a megabyte, to be sorted',
    n: 300,
    make: function* (n) {
      for (let i = 0; i < 20; i++) yield perf(1e6 + i, ref('page_ref_mod', PAGE, 3, 1));
      for (let i = 0; i < n; i++)
        yield perf(2e6 + i, `${ref('page_ref_mod', PAGE, 3, 1)} ${'pfn=0x25,'.repeat(116_000)}`);
    },
  },
  {
    name: 'a million tasks',
    n: 250_000,
    make: repeat((i, us) => event(us, pin(PAGE + (i % 1000), 1026), `      t${i}-${i + 1}     [000] .....`)),
  },
  {name: 'a million PFNs', n: 500_000, make: repeat((i, us) => event(us, alloc(0x10000 + i * 7)))},
  {name: 'a million pinned pages', n: 250_000, make: repeat((i, us) => event(us, pin(0x10000 + i * 7, 1026)))},
  {name: 'PFNs that hash alike', n: 30_000, make: repeat((i, us) => event(us, alloc(colliding(i))))},
  {
    name: 'one page, ten million events',
    n: 2_500_000,
    make: repeat((i, us) =>
      event(
        us,
        ref(
          i % 2 === 0 ? 'page_ref_mod' : 'page_ref_mod_and_test',
          PAGE,
          3 - (i % 2),
          i % 2 === 0 ? 1 : -1,
          'uptodate',
          i % 2 === 0 ? '' : ' ret=0',
        ),
      ),
    ),
  },
  {
    name: 'pins of one page, then as many unpins',
    n: 100_000,
    make: twice(
      (i) => pin(PAGE, 2 + 1024 * (i + 1)),
      (i, half) => unpin(PAGE, 2 + 1024 * (half - i - 1)),
    ),
  },
  {
    name: 'probed pins of one folio, then as many unpins',
    n: 100_000,
    make: twice(
      (i) => grab(PAGE + (i & 15)),
      () => folio('gup_put_folio', PAGE, ' refs=1 flags=0x80000'),
    ),
  },
  {
    name: 'pins of a page under writeback',
    n: 100_000,
    make: repeat((i, us) => event(us, pin(PAGE, 1026 + 1024 * i)), {
      before: () => event(1_100_000, folio('__folio_start_writeback', PAGE)),
    }),
  },
  {name: 'mappings of one page, never undone', n: 250_000, make: repeat((i, us) => event(us, map(PHYS)))},
  {
    name: 'mappings of one page, undone by another size',
    n: 200_000,
    make: twice(
      () => map(PHYS),
      () => unmap(PHYS, {size: 512}),
    ),
  },
  {
    name: 'mappings of one page by two devices, undone by the second',
    n: 200_000,
    make: twice(
      (i, half) => map(PHYS, {device: i < half / 2 ? 'a' : 'b'}),
      () => unmap(PHYS, {device: 'b'}),
    ),
  },
  {
    name: 'mappings of a million pages, never undone',
    n: 250_000,
    make: repeat((i, us) => event(us, map(PHYS + i * 4096))),
  },
  {
    name: 'overlapping mappings of 16 MiB',
    n: 20_000,
    make: repeat((i, us) => event(us, map(PHYS + (i % 64) * 65_536, {size: 1 << 24}))),
  },
  {
    name: 'scatterlists of 512 times 65,536 pages',
    n: 400,
    make: repeat((i, us) => {
      const list = (each) => `{${Array.from({length: 512}, (_, k) => each(k)).join(',')}}`;
      const phys = list((k) => hex((i * 512 + k) * 2 ** 28));
      return event(
        us,
        `dma_map_sg: nvme0 dir=FROM_DEVICE nents=512/512 ents=512/512 dma_addrs=${phys} sizes=${list(() => '0x10000000')} phys_addrs=${phys} attrs=`,
      );
    }),
  },
  {
    name: 'iommu:map events, never undone',
    n: 250_000,
    make: repeat((i, us) =>
      event(
        us,
        `map: IOMMU: iova=${hex(2 ** 32 + i * 4096)} - ${hex(2 ** 32 + (i + 1) * 4096)} paddr=${hex(PHYS + i * 4096)} size=4096`,
      ),
    ),
  },
  {
    name: 'iommu:unmap of everything, again and again',
    n: 100_000,
    make: twice(
      (i) =>
        `map: IOMMU: iova=${hex(2 ** 32 + i * 4096)} - ${hex(2 ** 32 + (i + 1) * 4096)} paddr=${hex(PHYS + i * 4096)} size=4096`,
      () => 'unmap: IOMMU: iova=0x1000 - 0x80000000 size=2147479552 unmapped_size=2147479552',
    ),
  },
  {
    name: 'iommu:map events before each dma_map_page',
    n: 100_000,
    make: repeat((i, us) =>
      event(
        us,
        i % 10 === 9
          ? map(PHYS, {dma: 0x1000})
          : `map: IOMMU: iova=${hex(2 ** 32 + i * 4096)} - ${hex(2 ** 32 + (i + 1) * 4096)} paddr=${hex(PHYS + i * 4096)} size=4096`,
      ),
    ),
  },
  {
    name: 'folios of order 20, allocated and freed',
    n: 20_000,
    make: repeat((i, us) => event(us, i % 2 === 0 ? alloc(2 ** 20, 20) : free(2 ** 20, 20))),
  },
  {
    name: 'pins and unpins of a folio of order 20',
    n: 10_000,
    make: repeat(
      (i, us) => event(us, i % 2 === 0 ? grab(2 ** 20) : folio('gup_put_folio', 2 ** 20, ' refs=1 flags=0x80000')),
      {before: () => event(1_100_000, alloc(2 ** 20, 20))},
    ),
  },
  {
    name: 'writeback of a folio of order 18 with many pins',
    n: 10_000,
    make: repeat(
      (i, us) =>
        event(
          us,
          i < 500 ? grab(2 ** 20) : folio(i % 2 === 0 ? '__folio_start_writeback' : 'folio_end_writeback', 2 ** 20),
        ),
      {before: () => event(1_100_000, alloc(2 ** 20, 18))},
    ),
  },
  {
    name: 'leaked pins of a million sub-pages each',
    n: 500,
    make: repeat((i, us) => event(us, grab(2 ** 20 + (i % 4), 2 ** 20)), {
      before: () => event(1_100_000, alloc(2 ** 20, 20)),
    }),
  },
  {
    name: 'a million lost marks',
    n: 250_000,
    make: repeat(
      (i, us) =>
        `CPU:${i % 2} [LOST ${i + 1} EVENTS]\n${event(us, alloc(PAGE), `              wl-309     [00${i % 2}] .....`)}`,
    ),
  },
  {
    name: 'lost marks of a CPU without events',
    n: 100_000,
    make: function* (n) {
      yield* twiceRaw(n, () => 'CPU:7 [LOST 1 EVENTS]\n');
    },
  },
  {
    name: 'lost marks and findings',
    n: 100_000,
    make: (n) =>
      mistakes(
        n,
        (i) => PAGE + i,
        undefined,
        100,
        (i, us) => `CPU:1 [LOST 5 EVENTS]\n${event(us, alloc(1), '              wl-309     [001] .....')}`,
      ),
  },
  {
    name: 'counts that never add up',
    n: 250_000,
    make: repeat((i, us) => event(us, ref('page_ref_mod', PAGE + (i % 100), (i * 7919) % 100_000, 1)), {before: seen}),
  },
  {name: 'a million findings on different pages', n: 250_000, make: (n) => mistakes(n, (i) => PAGE + i)},
  {
    name: 'findings of as many tasks',
    n: 250_000,
    make: (n) =>
      mistakes(
        n,
        (i) => PAGE + i,
        (i) => `      t${i}-${i + 1}     [000] .....`,
      ),
  },
  {name: 'findings on one page, far apart', n: 250_000, make: (n) => mistakes(n, () => PAGE, undefined, 10_000)},
  {name: 'a million device names', n: 250_000, make: repeat((i, us) => event(us, map(PHYS, {device: `dev${i}`})))},
  {name: 'a million event names', n: 250_000, make: repeat((i, us) => event(us, `name_${i}: x=1`))},
  {
    name: 'a million files',
    n: 250_000,
    make: repeat((i, us) =>
      event(
        us,
        `mm_filemap_add_to_page_cache: dev ${i % 4000}:${i % 1000} ino ${i.toString(16)} pfn=${hex(PAGE + i)} ofs=${i * 4096} order=0`,
      ),
    ),
  },
  {name: 'a million header facts', n: 250_000, make: repeat((i) => `# pinscope-record: fact${i}=${i}\n`)},
  {
    name: 'words without a colon, after four thousand event names',
    n: 250_000,
    make: repeat((i, us) => event(us, i < 4000 ? `event${i}: x=1` : i % 2 === 0 ? pin(PAGE, 1026) : `word${i}`)),
  },
  {
    name: 'headers that count entries, after events of eight thousand CPUs',
    n: 250_000,
    make: repeat((i, us) =>
      i < 8000
        ? event(us, pin(PAGE, 1026), `              wl-309     [${String(i).padStart(4, '0')}] .....`)
        : '# entries-in-buffer/entries-written: 1/1   #P:4\n',
    ),
  },
  {
    name: 'deep stacks',
    n: 250_000,
    make: repeat((i, us) =>
      i === 0 ? `${event(us, pin(PAGE, 1026))}${event(us, '<stack trace>')}` : ` => some_function_${i}\n`,
    ),
  },
  {
    name: 'a million different stacks',
    n: 250_000,
    make: repeat((i, us) =>
      i % 10 < 2 ? event(us, i % 10 === 0 ? pin(PAGE + i, 1026) : '<stack trace>') : ` => some_function_${i}\n`,
    ),
  },
  {
    name: 'perf script: deep stacks',
    n: 250_000,
    make: function* (n) {
      yield* pieces(
        (function* () {
          for (let i = 0; i < n; i++)
            yield i % 50_000 === 0
              ? `\n${perf(2e6 + i, pin(PAGE, 1026))}`
              : `\tffffffff812e${(1000 + (i % 9000)).toString()} some_function_${i}+0x1 ([kernel.kallsyms])\n`;
        })(),
      );
    },
  },
  {
    name: 'perf script: backwards in time',
    n: 250_000,
    make: function* (n) {
      yield* pieces(
        (function* () {
          for (let i = 0; i < n; i++) yield perf(9e6 + n - i, ref('page_ref_mod', PAGE + (i % 100), 3, 1), i % 2);
        })(),
      );
    },
  },
  {
    name: 'backwards in time',
    n: 250_000,
    make: repeat((i, us, n) => event(9e6 + n - i, ref('page_ref_mod', PAGE + (i % 100), 3, 1))),
  },
  {
    name: 'a clock that jumps',
    n: 250_000,
    make: repeat((i, us) => event(i % 2 === 0 ? us : 9e15 - us, pin(PAGE + (i % 1000), 1026))),
  },
  {
    name: 'equal times on two CPUs',
    n: 250_000,
    make: repeat((i) =>
      event(
        2e6,
        i % 2 === 0 ? pin(PAGE + (i % 1000), 1026) : unpin(PAGE + ((i - 1) % 1000), 2),
        `              wl-309     [00${i % 2}] .....`,
      ),
    ),
  },
  {
    name: 'eight thousand CPUs',
    n: 250_000,
    make: repeat((i, us) =>
      event(us, pin(PAGE + (i % 1000), 1026), `              wl-309     [${String(i % 8000).padStart(4, '0')}] .....`),
    ),
  },
  {
    name: 'calls that never return',
    n: 250_000,
    make: repeat((i, us) =>
      event(
        us,
        i % 2 === 0
          ? 'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f797856a000 nr=2 gup_flags=0x1 pages=0xffff8880058cd000'
          : `dma_map_page_attrs: (dma_map_page_attrs+0x0/0x270) dev="a" page=0xffffea00000c7700 offset=0x0 size=4096 dir=1 vmemmap=0xffffea0000000000`,
        `              wl-${i + 1}     [000] ${i % 3 === 0 ? 'd.h1.' : '.....'}`,
      ),
    ),
  },
  {
    name: 'unpins of long lists',
    n: 5000,
    make: repeat((i, us) =>
      event(
        us,
        `unpin_user_pages: (unpin_user_pages+0x4/0xc0) npages=512 pages={${Array.from({length: 512}, (_, k) => hex(0xffffea0000000000n + BigInt(PAGE + k) * 64n)).join(',')}}`,
      ),
    ),
  },
  {
    name: 'one gup_put_folio after another within one list',
    n: 100_000,
    make: repeat((i, us) => event(us, folio('gup_put_folio', PAGE + (i % 600), ' refs=1 flags=0x80000')), {
      before: () =>
        event(
          1_100_000,
          `unpin_user_pages: (unpin_user_pages+0x4/0xc0) npages=512 pages={${Array.from({length: 512}, (_, k) => hex(0xffffea0000000000n + BigInt(PAGE + k) * 64n)).join(',')}}`,
        ),
    }),
  },
  {
    name: 'mail: quotes within quotes',
    n: 10_000_000,
    make: function* (n) {
      yield MAIL + event(1e6, alloc(PAGE));
      for (let left = n, depth = 1; left > 0; left -= depth, depth += 1)
        yield `${'>'.repeat(depth)} ${event(1e6 + depth, alloc(PAGE + depth)).trim()}\n`;
    },
  },
  {
    name: 'mail: a thousand quote marks a line',
    n: 10_000,
    make: function* (n) {
      yield MAIL;
      for (let i = 0; i < n; i++) yield `${'> '.repeat(1000)}${event(1e6 + i, alloc(PAGE + (i % 1000))).trim()}\n`;
    },
  },
  {
    name: 'mail: parts within parts',
    n: 200_000,
    make: function* (n) {
      yield 'From: a@example.org\nSubject: x\nContent-Type: multipart/mixed; boundary="b0"\n\n';
      for (let i = 0; i < n; i++)
        yield `--b${i}\nContent-Type: multipart/mixed; boundary="b${i + 1}"\n\n${i < 3 ? event(1e6 + i, alloc(PAGE)) : ''}`;
    },
  },
  {
    name: 'mail: wrapped lines',
    n: 200_000,
    make: function* (n) {
      yield MAIL + event(1e6, alloc(PAGE));
      for (let i = 0; i < n; i++)
        yield i % 20 === 0
          ? `> ${event(1e6 + i, `page_ref_mod: pfn=${hex(PAGE + i)} flags=`).trim()}\n`
          : '> uptodate|lru|active|\n';
    },
  },
  {
    name: 'bpftrace JSON: nested',
    n: 100,
    make: function* (n) {
      yield `{"type": "attached_probes", "data": {"probes": 3}}\n`;
      for (let i = 0; i < 20; i++)
        yield `{"type": "printf", "data": "4313552${1000 + i} cpu=1 pid=232 tid=232 comm=b mm_page_alloc pfn=0xed6f order=0\\n"}\n`;
      for (let i = 0; i < n; i++) yield `{"type": "map", "data": ${'[{"a":'.repeat(80_000)}1${'}]'.repeat(80_000)}}\n`;
    },
  },
  {
    name: 'gzip bomb of zeros',
    n: 40e6,
    gzip: true,
    make: function* (n) {
      yield HEAD + event(1e6, alloc(PAGE));
      const zeros = '\0'.repeat(1 << 20);
      for (let i = 0; i < n; i += zeros.length) yield zeros;
    },
  },
  {
    name: 'gzip bomb of events',
    n: 40e6,
    gzip: true,
    make: function* (n) {
      yield HEAD + event(1e6, alloc(PAGE));
      const same = event(1e6 + 1, alloc(PAGE)).repeat(10_000);
      for (let i = 0; i < n; i += same.length) yield same;
    },
  },
  {
    name: 'gzip bomb of newlines',
    n: 40e6,
    gzip: true,
    make: function* (n) {
      yield HEAD + event(1e6, alloc(PAGE));
      const lines = '\n'.repeat(1 << 20);
      for (let i = 0; i < n; i += lines.length) yield lines;
    },
  },
  {
    name: 'a million empty gzip members',
    n: 250_000,
    make: function* (n) {
      yield gzipSync(HEAD + event(1e6, alloc(PAGE)));
      const empty = Buffer.concat(Array.from({length: 1000}, () => gzipSync('')));
      for (let i = 0; i < n; i += 1000) yield empty;
    },
  },
];

function* twiceRaw(n, mark) {
  yield HEAD + event(1_000_000, alloc(PAGE));
  yield* pieces(
    (function* () {
      for (let i = 0; i < n / 2; i++) yield mark(i);
      for (let i = 0; i < n / 2; i++) yield event(2e6 + i, alloc(PAGE));
    })(),
  );
}
