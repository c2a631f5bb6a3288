/** What is no trace of pages is named, with what would help. */

import {expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import {dmesg} from '../../parsers/dmesg/index.js';

it.each([
  ['perf trace', '     0.000 wrk/701 page_ref:page_ref_mod(pfn: 18960, count: 1026)\n', /perf trace/, /perf record/],
  ['page_owner', 'Page allocated via order 0, mask 0x0, pid 1, ts 1 ns\nPFN 0x1 type\n', /page_owner/, /record/],
  ['Chrome JSON', '{"traceEvents":[{"name":"a","ph":"X"}]}', /Chrome/, /record/],
  ['a report', '{\n  "schema": "pinscope.report/2",\n', /pinscope's own/, /the trace/],
  ['a zip archive', 'PK\x03\x04\x14\0\0\0', /zip archive/, /Unpack/],
  ['a tar archive', `${'a'.repeat(100)}${'\0'.repeat(157)}ustar\0`, /tar archive/, /Unpack/],
  ['atrace -z', 'TRACE:\nx\x9c\0\0', /atrace -z/, /without -z/],
  ['perf stat', " Performance counter stats for 'x':\n\n    1,234      page_ref:page_ref_mod\n", /perf stat/, /record/],
  ['perf report', '# Overhead  Command\n    50.00%  wrk      pfn=0x4a10 flags=0x20\n', /perf report/, /perf script/],
  ['funccount', "FUNC                 COUNT\nb'pin_user_pages_fast'    123\n", /funccount/, /record/],
  ['strace', '701   10:00:00.123456 ioctl(3, VFIO_IOMMU_MAP_DMA, 0x7ffd) = 0\n', /strace/, /record/],
  ['vmstat', 'nr_foll_pin_acquired 12345\nnr_foll_pin_released 12000\n', /vmstat/, /less nr_foll_pin_released/],
  ['a format', 'name: page_ref_mod\nID: 512\nformat:\n\tfield:int common_pid;\n', /format of an event/, /record/],
  ['a list of events', 'page_ref:page_ref_mod\npage_ref:page_ref_set\n', /list of events/, /record/],
  ['crash', 'crash> kmem -p ffffea0000128400\n', /crash/, /trace\.so/],
  ['a page', '<!DOCTYPE html><html><body>no trace</body></html>\n', /web page/, /text of the trace/],
  ['CTF', '\xc1\x1f\xfc\xc1\0\0\0\0', /LTTng/, /record/],
  ['a program', '\x7fELF\x02\x01\x01\0', /ELF/, /record/],
  ['kdump', 'KDUMP   \0\0\0\0', /kdump/, /trace show/],
  ['bcc trace', 'PID     TID     COMM            FUNC             -\n701 701 wrk unpin_user_page\n', /bcc/, /-t/],
])('%s', (_name, input, message, advice) => {
  const found = detect(Buffer.from(input, 'latin1'));
  expect(found).toMatchObject({
    outcome: 'refused',
    message: expect.stringMatching(message),
    advice: expect.stringMatching(advice),
  });
});

it('passes on what the kernel says of an empty buffer', () => {
  const log =
    '[  516.1] BUG: Bad page state in process wrk  pfn:4a10\n[  516.2] Dumping ftrace buffer:\n[  516.3]    (ftrace buffer empty)\n';
  expect(dmesg.sniff(Buffer.from(log)).evidence.join()).toContain('ftrace buffer was empty');
});
