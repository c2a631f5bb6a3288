/**
 * A kernel of a few pages that writes its trace: each call does what the kernel function does to the counts, and prints the
 * lines that Linux prints for it, by version (mm/gup.c, mm/page-writeback.c, kernel/dma/mapping.c). Tests of rules read as
 * deeds, and no count in them is made up.
 */
export type Version = '5.7' | '5.10' | '6.1' | '6.12';

export interface Traced {
  version?: Version;
  /** page_ref events; true when left out */
  refs?: boolean;
  /** kprobes on the GUP, writeback and dirtying functions; true when left out */
  probes?: boolean;
  /** kmem events; true when left out */
  kmem?: boolean;
  /** when it begins, in microseconds; 10 s when left out */
  from_us?: number;
}

export interface Grab {
  write?: boolean;
  longterm?: boolean;
  remote?: boolean;
  /** the slow path (page tables walked under locks) */
  slow?: boolean;
  /** pages of a large folio taken at once, from `sub` on */
  n?: number;
  /** the first page asked for, where it is a tail */
  sub?: number;
  /** without the lines of pin_user_pages_fast() around it */
  bare?: boolean;
}

export type Direction = 'BIDIRECTIONAL' | 'TO_DEVICE' | 'FROM_DEVICE';

interface Page {
  count: number;
  /** mappings by page tables */
  mapped: number;
  order: number;
  flags: Set<string>;
  mapping: string;
  mt: number;
}

const FOLL = {
  old: {pin: 0x40000, get: 0x4, longterm: 0x10000, remote: 0x2000},
  new: {pin: 0x80000, get: 0x2, longterm: 0x100, remote: 0x40000},
};
const DIRECTIONS: readonly Direction[] = ['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE'];

export class SmallKernel {
  task = 'wl-309';
  cpu = 0;
  /** in a hard interrupt: comm and pid of a line are then the interrupted task's */
  irq = false;
  /** of the next line */
  time_us = 10_000_000;
  /** between lines */
  step_us = 10;
  readonly version: Version;
  protected readonly traced: Required<Omit<Traced, 'version' | 'from_us'>>;
  private readonly lines: string[] = ['# tracer: nop', '# pinscope-record: vmemmap_base=0xffffea0000000000'];
  protected readonly pages = new Map<number, Page>();

  constructor({version = '6.12', refs = true, probes = true, kmem = true, from_us = 10_000_000}: Traced = {}) {
    this.version = version;
    this.time_us = from_us;
    this.traced = {refs, probes, kmem};
    // Somebody else's page, pinned for a moment: what is recorded shows from the first lines on.
    this.by({task: 'bash-77', cpu: 1}, () => {
      this.anon(0x100);
      this.ref('page_ref_mod_unless', 0x100, 1, true);
      this.put(0x100);
      for (const slow of [false, true]) {
        this.pin(0x100, {bare: true, slow});
        this.unpin(0x100);
      }
    });
  }

  // --- the trace

  /** `clock`: what its last line says of the clock; null for a trace that does not say, as tracefs' own. */
  text(clock: string | null = 'mono'): string {
    return `${this.lines.join('\n')}\n${clock === null ? '' : `# pinscope-record: clock=${clock}\n`}`;
  }

  /** Does something as another task, on another CPU or in an interrupt. */
  by(who: {task?: string; cpu?: number; irq?: boolean}, deeds: () => void): void {
    const {task, cpu, irq} = this;
    Object.assign(this, who);
    deeds();
    Object.assign(this, {task, cpu, irq});
  }

  /** One event of whatever kind. */
  line(payload: string): void {
    const dash = this.task.lastIndexOf('-');
    const task = `${this.task.slice(0, dash).padStart(16)}-${this.task.slice(dash + 1).padEnd(7)}`;
    const time = `${Math.floor(this.time_us / 1e6)}.${String(this.time_us % 1e6).padStart(6, '0')}`;
    this.lines.push(`${task} [00${this.cpu}] ${this.irq ? 'd.h1.' : '.....'} ${time.padStart(12)}: ${payload}`);
    this.time_us += this.step_us;
  }

  /** The reader was overtaken: as trace_pipe prints it, before the CPU's next event. */
  lose(cpu: number, events: number): void {
    this.lines.push(`CPU:${cpu} [LOST ${events} EVENTS]`);
  }

  /** The call stack of the last line, innermost function first (the `stacktrace` option). */
  stack(...frames: string[]): void {
    this.line('<stack trace>');
    for (const frame of frames) this.lines.push(` => ${frame}`);
  }

  /** The recorder says that it probes these functions, whether they are called or not. */
  announce(...functions: string[]): void {
    for (const name of functions) this.lines.push(`# pinscope-record: probe=p:pinscope/${name} ${name} page=$arg1:x64`);
  }

  wait(us: number): void {
    this.time_us += us;
  }

  /** An interrupt while nothing runs: no filter by task is on. */
  idle(): void {
    this.by({task: '<idle>-0', irq: true}, () => this.line('mm_page_free: page=00000000b9111fae pfn=0x101 order=0'));
  }

  // --- pages

  alloc(pfn: number, order = 0, mt = 1): void {
    const large = order > 0 ? ['head'] : [];
    this.pages.set(pfn, {
      count: 1,
      mapped: 0,
      order,
      flags: new Set(['uptodate', ...large]),
      mapping: '0000000000000000',
      mt,
    });
    if (this.traced.refs) this.line(`page_ref_set: ${this.state(pfn)} val=1`);
    if (this.traced.kmem) {
      this.line(
        `mm_page_alloc: page=00000000b9111fae pfn=0x${pfn.toString(16)} order=${order} migratetype=${mt} ` +
          'gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
      );
    }
  }

  /** An anonymous page, faulted in: one mapping, on the LRU. */
  anon(pfn: number, order = 0, mt = 1): void {
    this.alloc(pfn, order, mt);
    const page = this.pages.get(pfn)!;
    page.mapped = 1;
    page.mapping = '00000000261e2897';
    page.flags.add('swapbacked');
    this.ref('page_ref_mod', pfn, 1); // the batch that adds it to the LRU
    page.flags.add('lru');
    this.put(pfn);
  }

  /** A page of a file, mapped by the task: page cache, buffers and mapping hold it. Without `disk` it is of shmem. */
  file(pfn: number, {disk = true, order = 0}: {disk?: boolean; order?: number} = {}): void {
    this.alloc(pfn, order);
    const page = this.pages.get(pfn)!;
    page.mapping = '00000000fdefbca1';
    page.flags.add('lru');
    if (!disk) page.flags.add('swapbacked');
    this.ref('page_ref_mod', pfn, 1);
    if (this.traced.kmem) {
      const where = disk ? 'dev 259:0 ino c' : 'dev 0:1 ino 404';
      this.line(`mm_filemap_add_to_page_cache: ${where} pfn=0x${pfn.toString(16)} ofs=16384 order=${order}`);
    }
    if (disk) page.flags.add('private');
    this.ref('page_ref_mod', pfn, 1);
    page.mapped = 1;
  }

  /** The task unmaps the page, or ends; an anonymous page that nobody holds is freed. */
  munmap(pfn: number): void {
    this.pages.get(pfn)!.mapped = 0;
    if (this.traced.probes && this.version === '6.12') {
      this.line(`folios_put_refs: (folios_put_refs+0x4/0x1a0) nr=1 f={${this.pointer(pfn)},0x0,0x0,0x0}`);
    }
    this.put(pfn);
  }

  /** put_page() */
  put(pfn: number, n = 1): void {
    this.ref('page_ref_mod_and_test', pfn, -n);
  }

  // --- GUP

  /** pin_user_pages_fast() of one page, or of `n` of a large folio */
  pin(pfn: number, grab: Grab = {}): void {
    const flags = this.flags('pin', grab);
    this.call('pin_user_pages_fast', pfn, grab, () => this.grab(pfn, 'pin', flags, grab));
  }

  /** get_user_pages_fast() of one page */
  get(pfn: number, grab: Grab = {}): void {
    const flags = this.flags('get', grab);
    this.call('get_user_pages_fast', pfn, grab, () => this.grab(pfn, 'get', flags, grab));
  }

  /** unpin_user_page() or, with `n`, unpin_user_pages() of sub-pages of a large folio */
  unpin(pfn: number, {n = 1, sub = pfn}: {n?: number; sub?: number} = {}): void {
    const pages = Array.from({length: n}, (_, i) => this.pointer(sub + i)).slice(0, 8);
    if (this.traced.probes) {
      const list = [...pages, ...Array<string>(8 - pages.length).fill('0x0')].join(',');
      this.line(`unpin_user_pages: (unpin_user_pages+0x4/0xc0) npages=${n} pages={${list}}`);
    }
    this.putPinned(pfn, n);
  }

  /** gup_put_folio(): what every unpin comes to */
  putPinned(pfn: number, n = 1): void {
    const large = this.pages.get(pfn)!.order > 0;
    const {version} = this;
    if (this.traced.probes && (version === '6.1' || version === '6.12')) {
      const pin = this.foll().pin.toString(16);
      this.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${this.pointer(pfn)} refs=${n} flags=0x${pin}`);
    }
    const drop = large ? n : 1024 * n;
    if (version === '5.10') {
      if (drop > 1) this.ref('page_ref_mod', pfn, 1 - drop);
      this.put(pfn);
    } else this.put(pfn, drop);
  }

  // --- DMA, writeback, dirtying

  map(pfn: number, dir: Direction = 'BIDIRECTIONAL', device = 'pinbug.0', size = 4096): void {
    const address = (pfn * 4096).toString(16);
    if (this.version === '6.12') {
      this.line(`dma_map_page: ${device} dir=${dir} dma_addr=${address} size=${size} phys_addr=${address} attrs=`);
      return;
    }
    this.line(
      `dma_map_page_attrs: (dma_map_page_attrs+0x0/0x270) dev="${device}" page=${this.pointer(pfn)} offset=0x0 size=${size} ` +
        `dir=${DIRECTIONS.indexOf(dir)}`,
    );
    this.line(`dma_map_page_attrs_ret: (map_all+0x96/0x190 [pinbug] <- dma_map_page_attrs) dma_addr=0x${address}`);
  }

  unmap(pfn: number, dir: Direction = 'BIDIRECTIONAL', device = 'pinbug.0', size = 4096): void {
    const address = (pfn * 4096).toString(16);
    if (this.version === '6.12') {
      this.line(`dma_unmap_page: ${device} dir=${dir} dma_addr=${address} size=${size} attrs=`);
      return;
    }
    this.line(
      `dma_unmap_page_attrs: (dma_unmap_page_attrs+0x0/0x1c0) dev="${device}" dma_addr=0x${address} size=${size} ` +
        `dir=${DIRECTIONS.indexOf(dir)}`,
    );
  }

  /** folio_clear_dirty_for_io(): clean from here on, and written out soon */
  clearDirty(pfn: number): void {
    this.probe('folio_clear_dirty_for_io', pfn);
    this.pages.get(pfn)!.flags.delete('dirty');
  }

  markDirty(pfn: number): void {
    this.probe('folio_mark_dirty', pfn);
    this.pages.get(pfn)!.flags.add('dirty');
  }

  startWriteback(pfn: number): void {
    this.clearDirty(pfn);
    this.probe('__folio_start_writeback', pfn);
    this.pages.get(pfn)!.flags.add('writeback');
  }

  endWriteback(pfn: number): void {
    this.probe('folio_end_writeback', pfn);
    this.ref('page_ref_mod', pfn, 1);
    this.pages.get(pfn)!.flags.delete('writeback');
    this.put(pfn);
  }

  /** The disk writes the page out: writeback, with its own mapping. */
  writeOut(pfn: number, meanwhile: () => void = () => {}): void {
    this.startWriteback(pfn);
    this.map(pfn, 'TO_DEVICE', '0000:00:03.0');
    meanwhile();
    this.by({irq: true}, () => {
      this.unmap(pfn, 'TO_DEVICE', '0000:00:03.0');
      this.endWriteback(pfn);
    });
  }

  probe(symbol: string, pfn: number): void {
    if (this.traced.probes) this.line(`${symbol}: (${symbol}+0x4/0x190) folio=${this.pointer(pfn)}`);
  }

  // --- the least

  /** One page_ref event with its change; `ok` false for a try that failed. Frees the page whose count gets to 0. */
  ref(event: string, pfn: number, val: number, ok = true): void {
    const page = this.pages.get(pfn)!;
    if (ok) page.count += val;
    const gone = event === 'page_ref_mod_and_test' && page.count === 0;
    const ret =
      event === 'page_ref_mod_unless' ? ` ret=${ok ? 1 : 0}` : event.endsWith('_test') ? ` ret=${gone ? 1 : 0}` : '';
    if (this.traced.refs) this.line(`${event}: ${this.state(pfn)} val=${val}${ret}`);
    if (!gone) return;
    if (this.traced.kmem)
      this.line(`mm_page_free: page=00000000b9111fae pfn=0x${pfn.toString(16)} order=${page.order}`);
    this.pages.delete(pfn);
  }

  /** page_ref_freeze() and page_ref_unfreeze(), as split and migration do */
  freeze(pfn: number, expected: number): boolean {
    const page = this.pages.get(pfn)!;
    const ok = page.count === expected;
    if (ok) page.count = 0;
    if (this.traced.refs) this.line(`page_ref_freeze: ${this.state(pfn)} val=${expected} ret=${ok ? 1 : 0}`);
    return ok;
  }

  unfreeze(pfn: number, count: number): void {
    this.pages.get(pfn)!.count = count;
    if (this.traced.refs) this.line(`page_ref_unfreeze: ${this.state(pfn)} val=${count}`);
  }

  count(pfn: number): number {
    return this.pages.get(pfn)!.count;
  }

  /** `struct page *`: vmemmap_base without KASLR, 64 bytes a page */
  pointer(pfn: number): string {
    return `0x${(0xffffea0000000000n + BigInt(pfn) * 64n).toString(16)}`;
  }

  private state(pfn: number): string {
    const {count, mapped, flags, mapping, mt} = this.pages.get(pfn)!;
    // page_mapcount() up to 6.8, the raw counter from 6.12 on
    const mapcount = this.version === '6.12' ? mapped - 1 : mapped;
    const names = flags.size > 0 ? [...flags].join('|') : 'none';
    return `pfn=0x${pfn.toString(16)} flags=${names} count=${count} mapcount=${mapcount} mapping=${mapping} mt=${mt}`;
  }

  private foll() {
    return this.version === '6.12' ? FOLL.new : FOLL.old;
  }

  private flags(kind: 'pin' | 'get', {write = true, longterm = false, remote = false}: Grab): number {
    const foll = this.foll();
    return (write ? 1 : 0) | foll[kind] | (longterm ? foll.longterm : 0) | (remote ? foll.remote : 0);
  }

  /** The lines around a call of the pin_user_pages family, and its return: pages taken, or an errno. */
  private call(
    symbol: string,
    pfn: number,
    {n = 1, sub = pfn, longterm = false, bare = false}: Grab,
    grab: () => void,
    ret = n,
  ): void {
    // a huge page is mapped where its address is a multiple of its size
    const start = (0x7f6bcd600000 + (sub & 511) * 4096).toString(16);
    const told = this.traced.probes && !bare;
    const flags = (longterm ? this.foll().longterm : 0) | 1;
    if (told) {
      this.line(
        `${symbol}: (${symbol}+0x4/0x60) start=0x${start} nr=${n} gup_flags=0x${flags.toString(16)} pages=0xffff888005834000`,
      );
    }
    grab();
    if (told) this.line(`${symbol}_ret: (dopin+0x2e/0x70 [pinbug] <- ${symbol}) ret=${ret}`);
  }

  private grab(pfn: number, kind: 'pin' | 'get', flags: number, {slow = false, n = 1, sub = pfn}: Grab): void {
    const {version} = this;
    const page = this.pages.get(pfn)!;
    const hex = `0x${flags.toString(16)}`;
    const probe = this.traced.probes && (version === '6.1' || version === '6.12');
    const name =
      version === '6.1' ? (slow ? 'try_grab_page' : 'try_grab_folio') : slow ? 'try_grab_folio' : 'try_grab_folio_fast';
    if (probe) {
      const what = version === '6.12' && slow ? `folio=${this.pointer(pfn)}` : `page=${this.pointer(sub)}`;
      const refs = name === 'try_grab_page' ? '' : ` refs=${n}`;
      this.line(`${name}: (${name}+0x0/0x150) ${what}${refs} flags=${hex}`);
    }
    const plain = kind === 'get' || page.order > 0;
    if (slow) this.ref('page_ref_mod', pfn, plain ? n : 1024 * n);
    else if (plain) this.ref('page_ref_mod_unless', pfn, n);
    else if (version === '5.7') this.ref('page_ref_mod_unless', pfn, 1024 * n);
    else {
      this.ref('page_ref_mod_unless', pfn, n);
      this.ref('page_ref_mod', pfn, 1023 * n);
    }
    if (!probe) return;
    if (name === 'try_grab_page') return; // its return is not probed on 6.1
    if (name === 'try_grab_folio' && version === '6.12') {
      this.line('try_grab_folio_ret: (follow_page_pte+0x12b/0x520 <- try_grab_folio) ret=0');
    } else this.line(`${name}_ret: (gup_fast_fallback+0x7d8/0xda0 <- ${name}) folio=${this.pointer(pfn)}`);
  }
}
