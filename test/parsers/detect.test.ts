/** Which form an input is told to have, and what is said where there is none to read. */

import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import {FTRACE_LINES} from './ftrace-lines.js';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const HEADER = '# tracer: nop\n#\n# entries-in-buffer/entries-written: 3/3   #P:2\n#\n';
const EVENTS = `${FTRACE_LINES.slice(0, 8).join('\n')}\n`;
const PERF =
  '            bash     469 [000]    25.871530:                         gup:gup_put_folio: (ffffffffa777f290) folio=0xfffffb1a401ad300 refs=1 flags=0x80000\n';
const TRACE_CMD =
  '            bash-505   [000]    29.471982: try_grab_folio:       (ffffffffb9b80384) folio=0xfffff011000b4440 refs=1 flags=0x50003\n';

describe('forms that are read', () => {
  it.each([
    ['a trace file', HEADER + EVENTS, 'ftrace'],
    ['an empty trace file', '# tracer: nop\n#\n# entries-in-buffer/entries-written: 0/0   #P:2\n', 'ftrace'],
    ['a trace_pipe stream', EVENTS, 'ftrace'],
    ['a trace file with CRLF', (HEADER + EVENTS).replaceAll('\n', '\r\n'), 'ftrace'],
    ['trace-cmd report', `cpus=2\n${TRACE_CMD}`, 'trace-cmd'],
    ['trace-cmd report without its first line', TRACE_CMD.repeat(3), 'trace-cmd'],
    ['perf script', PERF.repeat(3), 'perf-script'],
  ])('%s', (_name, text, id) => {
    const found = detect(bytes(text));
    expect(found).toMatchObject({outcome: 'read', form: {id}});
    if (found.outcome === 'read') expect(found.evidence.length).toBeGreaterThan(0);
  });

  it('does what --from says', () => {
    expect(detect(bytes(PERF), 'ftrace')).toMatchObject({outcome: 'read', form: {id: 'ftrace'}});
  });
});

describe('inputs that are refused with an answer', () => {
  it('the raw option', () => {
    const found = detect(bytes(`${HEADER}${'101 0 9644221719 type: 707\n'.repeat(5)}`));
    expect(found.outcome === 'refused' && found.advice).toContain('noraw');
  });

  it('function and function_graph traces', () => {
    const functions =
      HEADER.replace('nop', 'function') +
      '            bash-103     [001] .....    12.925965: pin_user_pages_fast <-iov_iter_extract_pages\n'.repeat(5);
    expect(detect(bytes(functions))).toMatchObject({outcome: 'refused'});
    const graph =
      '# tracer: function_graph\n#\n# CPU  DURATION\n 0)               |  pin_user_pages_fast() {\n 0) + 84.547 us   |    try_grab_folio_fast();\n 0) ! 952.024 us  |  }\n';
    const found = detect(bytes(graph));
    expect(found.outcome === 'refused' && found.advice).toContain('pinscope record');
  });

  it('a damaged trace, with the line', () => {
    expect(detect(bytes(`${HEADER}this is\nno trace\n`))).toMatchObject({outcome: 'refused', line: 5});
  });
});

describe('inputs of no form', () => {
  it.each([
    ['nothing', ''],
    ['prose', 'Dear all,\nthis is a letter without any trace in it.\nRegards\n'],
    ['C', 'int main(void)\n{\n\treturn 0;\n}\n'],
    ['bytes', '\x7fABC\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0'],
  ])('%s', (_name, text) => {
    expect(detect(bytes(text))).toMatchObject({outcome: 'unknown'});
  });
});
