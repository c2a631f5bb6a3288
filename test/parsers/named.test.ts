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
