/** A trace.dat (version 6, little-endian, one CPU) of a few formats and records: what no recording at hand has. */

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
const u16 = (...values: number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer);
const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
const u64 = (...values: (number | bigint)[]): Buffer => Buffer.from(BigUint64Array.from(values.map(BigInt)).buffer);
const sized = (text: string): Buffer => Buffer.concat([u64(text.length), ascii(text)]);

const PAGE = 4096;
const common = (pidAt: number): string => `\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:${pidAt};\tsize:4;\tsigned:1;
`;

/** `NAME`, its id, and its own fields as `TYPE NAME;offset;size` */
export interface WrittenFormat {
  system: string;
  name: string;
  id: number;
  fields: readonly [declaration: string, offset: number, size: number][];
}

function formatText({name, id, fields}: WrittenFormat, pidAt: number): string {
  const own = fields.map(([declaration, offset, size]) => {
    return `\tfield:${declaration};\toffset:${offset};\tsize:${size};\tsigned:${declaration.startsWith('int') ? 1 : 0};\n`;
  });
  return `name: ${name}\nID: ${id}\nformat:\n${common(pidAt)}\n${own.join('')}\nprint fmt: ""\n`;
}

export interface WrittenRecord {
  id: number;
  pid: number;
  /** behind the eight common bytes */
  payload: Buffer;
}

/** What is not as it is most often, or should be. */
interface Lies {
  /** CPUs, all of which have the one sub-buffer */
  cpus?: number;
  /** bytes of a sub-buffer's data */
  data?: number;
  /** where records have their pid */
  pidAt?: number;
  /** records of a sub-buffer, at most */
  perPage?: number;
  /** what the kernel counted, as per_cpu/cpu0/stats prints it; as many as there are when left out, null: nothing */
  stats?: string | null;
  /** records of an instance, by CPU; those of the top buffer are of CPU 0 */
  instance?: readonly (readonly WrittenRecord[])[];
  /** text of kallsyms */
  kallsyms?: string;
  /** text of a latency tracer, which is there instead of the records, and the line that says what it is of */
  latency?: {text: string; uname: string};
}

/** `printk`: the text of printk_formats; records come 1 us apart. */
export function traceDat(
  formats: readonly WrittenFormat[],
  printk: string,
  records: readonly WrittenRecord[],
  {
    cpus = 1,
    data: dataBytes = 4080,
    pidAt = 4,
    perPage = 1000,
    stats = countedAs(records.length),
    instance,
    kallsyms = '',
    latency,
  }: Lies = {},
): Buffer {
  const own = formats.filter(({system}) => system === 'ftrace');
  const systems = [...new Set(formats.map(({system}) => system))].filter((system) => system !== 'ftrace');
  const head = Buffer.concat([
    Buffer.from('\x17\x08\x44tracing6\0', 'latin1'),
    Buffer.from([0, 8]),
    u32(PAGE),
    ascii('header_page\0'),
    sized(
      '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n' +
        '\tfield: char data;\toffset:16;\tsize:' +
        `${dataBytes};\tsigned:0;\n`,
    ),
    ascii('header_event\0'),
    sized('# compressed entry header\n\tpadding     : type == 29\n'),
    u32(own.length),
    ...own.map((format) => sized(formatText(format, pidAt))),
    u32(systems.length),
    ...systems.map((system) => {
      const of = formats.filter((format) => format.system === system);
      return Buffer.concat([
        ascii(`${system}\0`),
        u32(of.length),
        ...of.map((format) => sized(formatText(format, pidAt))),
      ]);
    }),
    u32(kallsyms.length),
    ascii(kallsyms),
    u32(printk.length),
    ascii(printk),
    sized('701 wrk\n'),
    u32(cpus),
    ascii('options  \0'),
    ...(stats === null ? [] : [u16(2), u32(stats.length), ascii(stats)]),
    ...(latency ? [u16(5), u32(latency.uname.length), ascii(latency.uname)] : []),
  ]);
  if (latency) return Buffer.concat([head, u16(0), ascii(`latency  \0${latency.text}`)]);
  // an option and the ends of it, and the tables
  const tables = head.length + (instance ? 6 + 8 + 4 : 0) + 2 + 10;
  const second = tables + 16 * cpus;
  const instanceOption = instance ? [u16(3), u32(12), u64(second), ascii('two\0')] : [];
  const ending = [...instanceOption, u16(0), ascii('flyrecord\0')];
  const start = Math.ceil((second + (instance ? 10 + 16 * cpus : 0)) / PAGE) * PAGE;
  const pages = pagesOf(records, perPage);
  const table = Array.from({length: cpus}, () => u64(start, PAGE * pages.length));
  const data = [...pages];
  const instanceTable: Buffer[] = instance ? [ascii('flyrecord\0')] : [];
  if (instance)
    for (let cpu = 0; cpu < cpus; cpu++) {
      const own = pagesOf(instance[cpu] ?? [], perPage);
      if (cpu > 0) table[cpu] = u64(0, 0);
      instanceTable.push(u64(start + PAGE * data.length, (instance[cpu]?.length ?? 0) > 0 ? PAGE * own.length : 0));
      data.push(...own);
    }
  const before = Buffer.concat([head, ...ending, ...table, ...instanceTable]);
  return Buffer.concat([before, Buffer.alloc(start - before.length), ...data]);
}

/** per_cpu/cpu0/stats of a buffer of so many events. */
export function countedAs(entries: number, counts: {commitOverrun?: number; overrun?: number} = {}): string {
  const {commitOverrun = 0, overrun = 0} = counts;
  return `CPU: 0\nentries: ${entries}\noverrun: ${overrun}\ncommit overrun: ${commitOverrun}\ndropped events: 0\nread events: 0\n`;
}

function pagesOf(records: readonly WrittenRecord[], perPage: number): Buffer[] {
  const written = records.map(({id, pid, payload}) => {
    const bytes = Buffer.concat([Buffer.from(Uint16Array.of(id, 0).buffer), u32(pid), payload]);
    const padded = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
    if (padded.length > 112) throw new Error('too long for a record of this kind');
    return Buffer.concat([u32((padded.length / 4) | (1000 << 5)), padded]);
  });
  const pages: Buffer[] = [];
  for (let at = 0; at === 0 || at < written.length; at += perPage) {
    const data = Buffer.concat(written.slice(at, at + perPage));
    pages.push(Buffer.concat([u64(500_000_000_000 + at * 1000, data.length), data], PAGE));
  }
  return pages;
}

export const values = {u32, u64, ascii};

/** kmem:mm_page_free, and the mm_page_alloc that has more behind it. */
export const FREE: WrittenFormat = {
  system: 'kmem',
  name: 'mm_page_free',
  id: 500,
  fields: [
    ['unsigned long pfn', 8, 8],
    ['unsigned int order', 16, 4],
  ],
};
export const ALLOC: WrittenFormat = {
  ...FREE,
  name: 'mm_page_alloc',
  id: 501,
  fields: [...FREE.fields, ['unsigned long gfp_flags', 24, 8], ['int migratetype', 32, 4]],
};
