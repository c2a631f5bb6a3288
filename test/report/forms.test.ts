import {describe, expect, it} from 'vitest';
import {REPORT_FORMS, REPORT_RENDERERS, type ReportForm} from '../../src/report/index.js';
import type {Report} from '../../src/results/report.js';
import {ascii, untabbed} from '../../src/words/clean.js';
import {groupsOf} from '../../src/findings/groups.js';
import type {RenderOptions} from '../../src/report/render.js';
import * as samples from './samples.js';

const plain: RenderOptions = {color: false, width: 80};

function rendered(form: ReportForm, report: Report, options: Partial<RenderOptions> = {}): string {
  return [...REPORT_RENDERERS[form](report, {...plain, ...options})].join('');
}

const one = (): Report => samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()]);
const race = (): Report => samples.withFindings(samples.emptyReport(), [samples.writebackWhilePinned()]);
const wide = (): Report => samples.withFindings(samples.emptyReport(), [samples.manyPages()]);
const all: [string, () => Report][] = [
  ['one finding', one],
  ['two CPUs', race],
  ['512 pages', wide],
  ['ticks', samples.ticksReport],
  ['hostile', samples.hostileReport],
  ['nothing found', samples.nothingFound],
  ['104 findings', () => samples.manyFindings(100)],
];
/** A trace's line as a mail has it. */
function quote(text: string): string {
  return `    ${ascii(untabbed(text).trimStart()).trimEnd()}`;
}

const textForms = REPORT_FORMS.filter((form) => form !== 'json' && form !== 'ndjson');

describe.each(all)('%s', (_, report) => {
  it.each(REPORT_FORMS)('renders as %s, ending in a newline', (form) => {
    const text = rendered(form, report());
    expect(text.endsWith('\n')).toBe(true);
    // the page's own script may say undefined
    if (form !== 'html') expect(text).not.toMatch(/undefined|\[object|NaN/);
  });

  it.each([50, 66, 80, 120, 200])('fits a terminal of %i columns', (width) => {
    for (const line of rendered('table', report(), {width}).split('\n'))
      if (!line.startsWith('sha256')) expect(line.length, line).toBeLessThanOrEqual(width);
  });

  it('is a mail of ASCII without tabs, at most 75 columns except quoted trace lines', () => {
    const text = rendered('mail', report(), {limit: 0});
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    const quoted = new Set(report().findings.flatMap(({evidence}) => evidence.map((item) => quote(item.text))));
    for (const line of text.split('\n')) if (!quoted.has(line)) expect(line.length, line).toBeLessThanOrEqual(75);
    expect(text.split('\n').length).toBeLessThanOrEqual(100);
  });

  it.each(textForms)('lets no control or bidi character into %s', (form) => {
    // eslint-disable-next-line no-control-regex
    expect(rendered(form, report())).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  });

  it('keeps every value in JSON', () => {
    expect(JSON.parse(rendered('json', report()))).toEqual(report());
  });
});

describe('table', () => {
  it('begins with the sum, the rules and the losses', () => {
    const [first, second] = rendered('table', one(), {width: 100}).split('\n');
    expect(first).toBe('1 finding of 1 cause: 1 error unpin-while-dma; sure. All 4 rules ran. No marked loss.');
    expect(second).toMatch(/^trace {4}bugs\.txt: ftrace, 1\.1 MB/);
  });

  it('says how many findings the filters left, and which filters', () => {
    const report = one();
    report.selection = {filters: [{flag: '--comm', value: 'wl'}], shown: 1, found: 7, left_out: 6};
    for (const form of textForms) expect(rendered(form, report)).toContain('1 of 7 findings (--comm wl), of 1 cause');
    report.findings = [];
    report.causes = [];
    report.selection = {filters: [{flag: '--comm', value: 'fio'}], shown: 0, found: 7, left_out: 7};
    for (const form of textForms) expect(rendered(form, report)).toContain('0 of 7 findings (--comm fio).');
  });

  it('never calls a trace clean when a rule could not run, and says what was looked at', () => {
    const text = rendered('table', samples.nothingFound(), {width: 200});
    expect(text).toContain('No finding in 1,234 pages, 310 pins,');
    expect(text).toContain(
      '3 of 4 rules ran, 1 of them in part; not judged: writeback-while-pinned (the trace lacks writeback).',
    );
    expect(text).toContain('  writeback: writeback-while-pinned; to have it: the probes that');
    expect(text).toContain('events of CPU 1 were lost (2 markers): 1,184; record');
    expect(text).not.toMatch(/clean|no problem|safe/i);
  });

  it('announces a cut, and shows all with a limit of 0', () => {
    const report = samples.manyFindings(100);
    expect(rendered('table', report, {by: 'deed'})).toContain('84 more findings not shown (--limit 0 shows all)');
    expect(rendered('table', report, {by: 'deed', limit: 5})).toContain('99 more findings not shown');
    expect(rendered('table', report, {limit: 2})).toContain('6 more rows not shown');
    const whole = rendered('table', report, {by: 'deed', limit: 0});
    expect(whole).not.toContain('not shown (');
    expect(whole.match(/^C\d {2}(?:error|warning|note)/gm)).toHaveLength(104);
  });

  it('sums findings up by page, task and file', () => {
    const report = samples.manyFindings(4);
    for (const by of ['page', 'task', 'file'] as const) {
      report.groups = groupsOf(report.findings, by);
      const text = rendered('table', report, {width: 120});
      expect(text).toMatch(new RegExp(`^${by} +found +sure`, 'm'));
      expect(text).toContain({page: '0x5dac9', task: 'kworker', file: 'device 259:0, inode 14'}[by]);
    }
  });

  it('is cut to no width where no terminal reads it', () => {
    const report = one();
    const text = rendered('table', report, {whole: true});
    for (const {text: line} of report.findings[0]!.evidence) expect(text).toContain(line.trim().replace(/ {2,}/g, ' '));
  });

  it('shows a finding that was asked for at length', () => {
    const text = rendered('table', samples.manyFindings(9), {chosen: ['81c02e55'], width: 200});
    expect(text).toContain('line 4460 (writeback-start)');
    expect(text).toMatch(/count before +1027 = 1 pin \+ 3 references/);
    expect(text).toContain('pfn 0x5dac9 about that moment');
    expect(text).not.toContain('unpin-while-dma on pinbug.0');
  });

  it('shows what is proven, and why the rest is not', () => {
    const report = one();
    report.findings[0]!.proof = [
      {premise: 'held', says: 'it was a pin', proven: true, by: [{input: 0, line: 3620}]},
      {premise: 'live', says: 'the device may touch it', proven: false, by: [], why: 'record block:block_rq_complete'},
    ];
    for (const form of ['table', 'mail', 'markdown'] as const) {
      const text = rendered(form, report);
      expect(text).toMatch(/held {2}it was a pin +line 3620/);
      expect(text).toMatch(/live {2}the device may touch it +not proven: record/);
    }
  });

  it('colours only when asked, and only by escape sequences of its own', () => {
    // eslint-disable-next-line no-control-regex
    const escape = /\u001b\[[0-9;]*m/g;
    const coloured = rendered('table', samples.manyFindings(3), {color: true});
    expect(coloured).toMatch(escape);
    expect(coloured.replace(escape, '')).toBe(rendered('table', samples.manyFindings(3)));
  });

  it('quotes deciding lines with their numbers', () => {
    const text = rendered('table', one(), {width: 200, chosen: ['3f9a1c02']});
    expect(text).toContain('line 3641 (unpin)');
    expect(text).toContain('page_ref_mod_and_test: pfn=0x2fb0 flags=referenced|uptodate|owner_2|swapbacked count=2');
  });

  it('gives the reason why a finding is only possible, and folds pages to ranges', () => {
    const text = rendered('table', wide(), {width: 200, chosen: ['a0441709']});
    expect(text).toContain('error unpin-while-dma, only possible');
    expect(text).toContain('CPU 1 lost 12 events between 17.232 and 17.240: an unmap may be among them');
    expect(text).toContain('512 pages: 0x40000-0x400ff, 0x40101-0x40191, 0x40195-0x40203');
    expect(text).toContain('its end is not in this trace');
  });

  it('prints ticks as they are, with no durations', () => {
    const text = rendered('table', samples.ticksReport(), {chosen: ['3f9a1c02']});
    expect(text).toContain('46021779126 to 46033001207 ticks');
    expect(text).toMatch(/DMA window +pinbug\.0 BIDIRECTIONAL: line 3635 to line 3648/);
  });
});

describe('mail', () => {
  it('proposes a subject, answers, and ends with what to attach', () => {
    const lines = rendered('mail', one()).trimEnd().split('\n');
    expect(lines.slice(0, 4)).toEqual([
      'Subject: [BUG] unpin-while-dma on pinbug.0',
      '',
      '1 finding of 1 cause: 1 error unpin-while-dma; sure. All 4 rules ran. No',
      'marked loss.',
    ]);
    expect(lines).toContain('  $ pinscope analyze bugs.txt');
    expect(lines).toContain('  $ pinscope history --around 3f9a1c02 bugs.txt');
    expect(lines.slice(-2)).toEqual([
      '  bugs.txt, 1.1 MB',
      '    sha256 8fd1070e35ddb6f689db437bd653d27b01a8482a4edba20463884ca90bbe4f7e',
    ]);
  });

  it('quotes the deciding lines byte for byte, and tells their numbers', () => {
    const report = one();
    const lines = rendered('mail', report).split('\n');
    for (const item of report.findings[0]?.evidence ?? []) {
      expect(lines).toContain(`    ${item.text.trimStart()}`);
      expect(lines).toContain(`  line ${item.line} (${item.role})`);
    }
  });

  it('proves the finding that was asked for', () => {
    const text = rendered('mail', samples.manyFindings(9), {chosen: ['81c02e55']});
    expect(text).toContain('Subject: [BUG] writeback-while-pinned on pinbug.0 and ');
    expect(text).toContain('__folio_start_writeback: (__folio_start_writeback+0x4/0x240)');
  });

  it.each([0, 1, 30, 1500])('is sent as it is: at most 100 lines of %i findings and more', (count) => {
    expect(rendered('mail', samples.manyFindings(count)).split('\n').length).toBeLessThanOrEqual(100);
  });

  it('leaves out the folders of whoever reports', () => {
    const report = one();
    report.inputs[0]!.path = '/home/me/secret/bugs.txt';
    report.command = ['pinscope', 'analyze', '/home/me/secret/bugs.txt'];
    for (const form of ['mail', 'markdown', 'html'] as const) expect(rendered(form, report)).not.toContain('secret');
  });

  it('breaks a long command only where a shell takes it', () => {
    const report = one();
    report.command = [
      'pinscope',
      'analyze',
      'a b  c.txt',
      ...Array.from({length: 9}, (_, at) => `trace-${at}-with-a-long-name.txt`),
    ];
    const text = rendered('mail', report);
    const command = text
      .slice(text.indexOf('  $ ') + 4, text.indexOf('  $ pinscope history'))
      .replaceAll(' \\\n', ' ')
      .trim()
      .replace(/ {2,}trace/g, ' trace');
    expect(command).toBe(`pinscope analyze 'a b  c.txt' ${report.command.slice(3).join(' ')}`);
  });
});

const drawing = (text: string): string[] => {
  const lines = text.split('\n').map((line) => line.replace(/^ {2}/, ''));
  const from = lines.findIndex((line) => line.startsWith('time ') && !line.includes('cpu'));
  return lines.slice(from, lines.indexOf('', from));
};

describe('the drawing of a race', () => {
  it('has a column for each of two CPUs, and says what was live meanwhile', () => {
    expect(drawing(rendered('mail', race()))).toEqual([
      'time          CPU 0: wl/310                 CPU 1',
      '---------     ----------------------------  ----------------------------',
      '16.283166     pins the page',
      '  +100 us',
      '16.283266 D   maps it for DMA',
      ' +15.4 ms D',
      '16.298671 DW                                kworker/u8:1/31 starts',
      '          DW                                  writeback',
      '          DW                                ^^^ written back while',
      '          DW                                    pinned',
      '  +952 us DW',
      '16.299623 DW                                <idle>/0 ends writeback',
      '   +18 ms D',
      '16.317637 D   unmaps it from DMA',
      '  +109 us',
      '16.317746     drops the pin',
      '          (D: mapped for DMA, W: under writeback)',
    ]);
  });

  it('draws the device beside the only task', () => {
    expect(drawing(rendered('mail', one()))).toEqual([
      'time       CPU 0: wl/309                  device pinbug.0',
      '---------  -----------------------------  -----------------------------',
      '17.231918  pins the page',
      '  +314 us',
      '17.232232  maps it for DMA                + DMA may begin',
      ' +3.26 ms                                 |',
      '17.235494  drops the pin                  |',
      '           ^^^ no pin left, DMA still     |',
      '               mapped                     |',
      ' +3.21 ms                                 |',
      '17.238705  unmaps it from DMA             + DMA is over',
    ]);
  });
});

describe('markdown', () => {
  it('keeps every table row on one line with as many cells as its head', () => {
    for (const [, report] of all) {
      let cells = 0;
      let fence = '';
      for (const line of rendered('markdown', report()).split('\n')) {
        const ticks = /^(`{3,})/.exec(line)?.[1];
        if (ticks !== undefined) fence = fence === '' ? ticks : line === fence ? '' : fence;
        if (fence !== '' || !line.startsWith('| ')) {
          cells = 0;
          continue;
        }
        const here = line.replace(/\\[\\|]/g, '').split('|').length;
        if (cells !== 0) expect(here, line).toBe(cells);
        cells = here;
      }
    }
  });

  it('puts text of a trace into code or escapes it', () => {
    const outside = rendered('markdown', samples.hostileReport())
      .replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, '')
      .replace(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, '');
    expect(outside).not.toMatch(/(?<!\\)<(?!\/?(details|summary|b|code)[ >])/);
    expect(outside).not.toContain('@me');
    expect(outside).not.toMatch(/#1\b/);
  });

  it('has as many folds closed as opened', () => {
    const text = rendered('markdown', samples.manyFindings(10));
    expect(text.match(/<details/g)?.length).toBe(text.match(/<\/details>/g)?.length);
  });
});

describe('ndjson', () => {
  it('holds the same content as JSON, the summary last', () => {
    const report = samples.manyFindings(5);
    const lines = rendered('ndjson', report, {limit: 1})
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as {type: string} & Record<string, unknown>);
    const of = (type: string): unknown[] =>
      lines.filter((line) => line.type === type).map((line) => ({...line, type: undefined}));
    expect(lines[0]?.type).toBe('report');
    expect(lines.at(-1)?.type).toBe('summary');
    expect(of('finding')).toEqual(report.findings);
    expect(of('input')).toEqual(report.inputs);
    expect(of('rule')).toEqual(report.rules);
    expect(of('cause')).toEqual(report.causes);
    expect(of('near-miss')).toEqual(report.near_misses);
    expect(of('summary')).toEqual([{...report.summary, timing: report.timing}]);
  });
});

/** `findings[].pages[].pfn string`, for every key of a value. */
function shapeOf(value: unknown, at = ''): Set<string> {
  const shape = new Set<string>();
  const add = (inner: unknown, place: string): void => {
    for (const line of shapeOf(inner, place)) shape.add(line);
  };
  if (Array.isArray(value)) for (const item of value) add(item, `${at}[]`);
  else if (value === null || typeof value !== 'object') shape.add(`${at} ${value === null ? 'null' : typeof value}`);
  else for (const [key, inner] of Object.entries(value)) add(inner, at === '' ? key : `${at}.${key}`);
  return shape;
}

describe('a big report', () => {
  it.each(['table', 'mail', 'markdown'] as const)('as %s', async (form) => {
    await expect(rendered(form, samples.manyFindings(1500))).toMatchFileSnapshot(`snapshots/big.${form}.txt`);
  });

  it('as JSON: every key, and what stands under it', async () => {
    const shape = [...shapeOf(JSON.parse(rendered('json', samples.manyFindings(1500))))].toSorted();
    await expect(`${shape.join('\n')}\n`).toMatchFileSnapshot('snapshots/big.json-shape.txt');
  });

  it('in full', async () => {
    const report = samples.manyFindings(30);
    const chosen = report.findings.slice(0, 6).map(({key}) => key);
    await expect(rendered('table', report, {chosen})).toMatchFileSnapshot('snapshots/big.full.txt');
  });

  it('as a table of every finding, whole', async () => {
    const text = rendered('table', samples.manyFindings(30), {by: 'deed', limit: 0, whole: true});
    await expect(text).toMatchFileSnapshot('snapshots/deeds.table.txt');
  });
});

it('tells apart the ways that the good cases of one caller took', () => {
  const miss = samples.nothingFound().near_misses[0]!;
  const stacks = [
    ['gup_put_folio+0x1', 'unpin_user_pages+0x6c', 'dounpin+0x60', 'pb_ioctl+0x77f', 'do_syscall_64+0x9e'],
    ['gup_put_folio+0x1', 'dounpin+0x95', 'pb_ioctl+0x77f', 'do_syscall_64+0x9e'],
    ['gup_put_folio+0x1', 'other+0x1', 'do_syscall_64+0x9e'],
  ];
  const text = rendered('table', {
    ...samples.nothingFound(),
    near_misses: stacks.map((stack) => ({...miss, stack})),
  }).replace(/\s+/g, ' ');
  expect(text).toContain('in dounpin+0x60 < pb_ioctl+0x77f, by unpin_user_pages:');
  expect(text).toContain('in dounpin+0x95 < pb_ioctl+0x77f, by gup_put_folio:');
  expect(text).toContain('in other:');
});
