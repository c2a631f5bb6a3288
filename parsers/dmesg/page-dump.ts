/**
 * The dump of a page in a kernel log (__dump_page() of mm/debug.c: "Bad page state", VM_BUG_ON_PAGE, dump_page()):
 *
 *     BUG: Bad page state in process wrk  pfn:4a10
 *     page: refcount:-1023 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x4a10          6.10 on
 *     page:00000000ce81ba6f refcount:-1023 mapcount:0 mapping:... index:0x0 pfn:0x4a10       5.10 on
 *     page:ffffea0000128400 count:-1023 mapcount:0 mapping:          (null) index:0x0        to 4.18: no pfn
 *     head: order:9 mapcount:0 entire_mapcount:0 nr_pages_mapped:0 pincount:1                of a large folio
 *     flags: 0x17ffffc0000001(locked|node=0|zone=2)
 *     page dumped because: nonzero _refcount
 *
 * A pin adds GUP_PIN_COUNTING_BIAS (1024, include/linux/mm.h) to the count of a small page; of a large folio pins are counted
 * apart. So -1023 is one reference less one pin: what was taken by get_user_pages() was dropped by unpin_user_page().
 */
import {BIAS} from '../../src/base/reference.js';

/** A dump is over after so many lines without its last one. */
const MAX_LINES = 12;
/** Of a line. */
const MAX_TEXT = 500;

const BUG = /^BUG: Bad page state in process .{0,40}? pfn:([0-9a-f]{1,13})\b/;
const PAGE = /^page:\s?(?:(?:0x)?[0-9a-f]{8,16} )?(?:ref)?count:(-?\d{1,11}) mapcount:(-?\d{1,11})/;
const PFN = / pfn:(?:0x)?([0-9a-f]{1,13})\b/;
const HEAD = /^head:.{0,40}? ?order:(\d{1,2}) .{0,120}?pincount:(-?\d{1,11})/;
const FLAGS = /^(?:page )?flags: 0x[0-9a-f]{1,16}\(([^)]{0,200})\)/;
const WHY = /^page dumped because: (.{1,100})/;

/** What a dump says, in words; the place of its first line. */
export interface PageDump {
  text: string;
  line: number;
  offset: number;
}

interface Open {
  line: number;
  offset: number;
  lines: number;
  pfn: string | undefined;
  count: number;
  mapcount: number;
  order: number;
  pincount: number;
  flags: string;
}

/** Puts the dumps of a log together, line by line. */
export class PageDumps {
  private open: Open | undefined;
  private bug: string | undefined;

  /** Reads a line without the log's prefix. Answers the dump that it ends. `mine`: whether the line was one of a dump. */
  line(text: string, line: number, offset: number): {mine: boolean; dump: PageDump | undefined} {
    const body = text.slice(0, MAX_TEXT).trimStart();
    const bug = BUG.exec(body);
    if (bug) {
      const dump = this.end();
      this.bug = bug[1];
      return {mine: true, dump};
    }
    const page = PAGE.exec(body);
    if (page) {
      const dump = this.end();
      const pfn = PFN.exec(body)?.[1] ?? this.bug;
      const [count, mapcount] = [Number(page[1]), Number(page[2])];
      this.open = {line, offset, lines: 0, pfn, count, mapcount, order: 0, pincount: 0, flags: ''};
      this.bug = undefined;
      return {mine: true, dump};
    }
    const {open} = this;
    if (!open) return {mine: false, dump: undefined};
    const head = HEAD.exec(body);
    const flags = FLAGS.exec(body);
    const why = WHY.exec(body);
    if (head) [open.order, open.pincount] = [Number(head[1]), Number(head[2])];
    if (flags)
      open.flags = flags[1]!
        .split('|')
        .filter((name) => !name.includes('='))
        .join('|');
    if (why) return {mine: true, dump: this.end(why[1]!.trim())};
    const mine = head !== null || flags !== null || body.startsWith('raw: ');
    return {mine, dump: ++open.lines > MAX_LINES ? this.end() : undefined};
  }

  /** The dump that is open, if one is: nothing more of it comes. */
  end(why = ''): PageDump | undefined {
    const {open} = this;
    this.open = undefined;
    if (!open) return undefined;
    const {line, offset, pfn, mapcount, order, pincount, flags} = open;
    const parts = [
      order > 0 ? ofFolio(open) : decoded(open.count),
      ...(order > 0 && pincount < 0 ? [`pincount ${pincount}: ${times(-pincount)} more unpinned than pinned`] : []),
      ...(mapcount > 0 ? [`mapped ${times(mapcount)}`] : []),
      ...(flags === '' ? [] : [`flags ${flags}`]),
      ...(why === '' ? [] : [`dumped because: ${why}`]),
    ];
    return {text: `${pfn === undefined ? 'a page' : `pfn 0x${pfn}`}: ${parts.join('; ')}`, line, offset};
  }
}

function ofFolio({count, order, pincount}: Open): string {
  const pins = pincount > 0 ? `, of which ${counted(pincount, 'pin')}` : ', no pin';
  return `large folio of order ${order}: refcount ${count}${pins}`;
}

/** The count of a small page in words. */
export function decoded(count: number): string {
  const start = `refcount ${count}`;
  if (count <= -BIAS / 2) {
    const unpins = Math.ceil(-count / BIAS);
    const refs = count + unpins * BIAS;
    const what = unpins === 1 ? 'one unpin' : `${unpins} unpins`;
    return `${start} = ${counted(refs, 'reference')} - ${counted(unpins, 'pin')}: ${what} of what was only got (get_user_pages()), or too many`;
  }
  if (count < 0) return `${start}: ${counted(-count, 'put')} more than references`;
  if (count === BIAS - 1) return `${start} = 1 pin - 1 reference: a pin that was dropped with put_page()`;
  if (count < BIAS) return `${start}: ${counted(count, 'reference')}, no pin`;
  const pins = Math.floor(count / BIAS);
  const rest = count % BIAS;
  return rest === BIAS - 1
    ? `${start} = ${counted(pins + 1, 'pin')} - 1 reference: a pin that was dropped with put_page()`
    : `${start} = ${counted(pins, 'pin')} + ${counted(rest, 'reference')}`;
}

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function times(n: number): string {
  return n === 1 ? 'once' : `${n} times`;
}
