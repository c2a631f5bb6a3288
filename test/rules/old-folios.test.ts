/** Large folios that are older than the trace, and of which no page_ref event tells: probes alone say what belongs together. */
import {expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';

const HEADER = '# tracer: nop\n#\n# entries-in-buffer/entries-written: 26/26   #P:2\n#\n';

/** A trace of 7.3 whose struct pages begin at 0xffabc33600000000. */
function trace(payloads: readonly string[]): string {
  let t = 62_502_993;
  const lines = payloads.map((payload) => {
    t += 11;
    const irq = payload.startsWith('!');
    const s = `${Math.floor(t / 1e6)}.${String(t % 1e6).padStart(6, '0')}`;
    return `           storm-535     (    533) [000] ${irq ? 'dBh1.' : '.....'}    ${s}: ${payload.replace('!', '')}\n`;
  });
  return `${HEADER}# pinscope-record: vmemmap_base=0xffabc33600000000\n# pinscope-record: kernel=7.3.4\n${lines.join('')}`;
}

function grab(tail: number, head = 0x3a0c): string[] {
  const at = (pfn: number): string => `0xffabc336${(pfn * 64).toString(16).padStart(8, '0')}`;
  return [
    `try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=${at(tail)} refs=1 flags=0x80401`,
    `try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=${at(head)}`,
  ];
}

const CALL = 'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7fdf25d7e000 nr=3 gup_flags=0x401';
const RETURN = 'pin_user_pages_fast_ret: (iov_iter_extract_pages+0xff/0xb00 <- pin_user_pages_fast) ret=3';
const DROP = '!unpin_user_folio: (unpin_user_folio+0x4/0x80) folio=0xffabc336000e8300 npages=3';

it('what a fast grab answers is the folio of the page that it is given', async () => {
  const read = [CALL, ...grab(0x3a0d), ...grab(0x3a0e), ...grab(0x3a0f), RETURN, DROP];
  expect(await toldOf(trace([...read, ...read]))).toEqual([]);
});

it('its pins are the folio’s: what is dropped once more was not pinned', async () => {
  const read = [CALL, ...grab(0x3a0d), ...grab(0x3a0e), ...grab(0x3a0f), RETURN, DROP];
  const {findings} = await analyzeText(trace([...read, ...read, DROP]));
  expect(findings.map((f) => [f.rule, f.pages.map((p) => p.pfn)])).toEqual([['unpin-without-pin', ['0x3a0c']]]);
});
