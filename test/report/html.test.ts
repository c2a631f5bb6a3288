import {existsSync, mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {chromium, type Browser, type Page} from 'playwright-core';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {REPORT_RENDERERS} from '../../src/report/index.js';
import type {Report} from '../../src/results/report.js';
import {analyzeFiles} from '../rules/analyze-text.js';
import * as samples from './samples.js';

const browserPath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (file) => file !== undefined && existsSync(file),
);

function html(report: Report, limit?: number): string {
  return [...REPORT_RENDERERS.html(report, {color: false, width: 80, ...(limit === undefined ? {} : {limit})})].join(
    '',
  );
}

let many_: string | undefined;
/** 1,504 of 1,604 findings. */
function many(): string {
  return (many_ ??= html(samples.manyFindings(1600), 1504));
}

describe('the file', () => {
  it('allows only its own script and style', () => {
    const text = html(samples.hostileReport());
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(text)?.[1] ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[\w+/=]{44}'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'$/,
    );
    expect(text).not.toMatch(/(src|href)\s*=\s*["'](?!#)/);
  });

  it('has no markup from the trace: three script elements, its own', () => {
    const text = html(samples.hostileReport());
    expect(text.match(/<script/g)).toHaveLength(3);
    expect(text.match(/<\/script/g)).toHaveLength(3);
  });

  it('holds 1,500 findings, and tells of those that it leaves out', () => {
    const text = many();
    expect(text.length).toBeLessThan(20_000_000);
    expect(text).toContain('100 more not shown');
    expect(html(samples.manyFindings(60))).not.toContain('more not shown');
  });
});

describe.skipIf(browserPath === undefined)('in a browser', () => {
  let browser: Browser;
  let page: Page;
  const trouble: string[] = [];
  const folder = mkdtempSync(path.join(tmpdir(), 'pinscope-html-'));

  beforeAll(async () => {
    browser = await chromium.launch({executablePath: browserPath, args: ['--no-sandbox']});
    page = await browser.newPage({viewport: {width: 1280, height: 900}});
    page.on('console', (message) => trouble.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => trouble.push(`dialog: ${dialog.message()}`));
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) trouble.push(`request: ${request.url()}`);
    });
  }, 60_000);

  afterAll(async () => {
    await browser.close();
    rmSync(folder, {recursive: true});
  });

  async function open(report: Report): Promise<void> {
    const file = path.join(folder, 'report.html');
    writeFileSync(file, html(report));
    expect(statSync(file).size).toBeGreaterThan(10_000);
    trouble.length = 0;
    await page.goto(pathToFileURL(file).href);
    // Pictures are drawn when their width is known, after the page is there. It is asked from here: what waits within the page is
    // a string that its policy forbids to evaluate, but for the first time.
    const drawn = "[...document.querySelectorAll('svg.picture, svg.overview')].every((svg) => svg.firstChild)";
    await expect.poll(() => page.evaluate(drawn), {timeout: 10_000, interval: 20}).toBe(true);
  }

  const title = (): Promise<string | null> => page.locator('article.finding h2').textContent();
  const hash = (): string => decodeURIComponent(page.url().split('#')[1] ?? '');
  /** A point of an element, in shares of its width and height. */
  async function at(selector: string, across: number, down: number): Promise<[number, number]> {
    await page.locator(selector).scrollIntoViewIfNeeded();
    const box = await page.locator(selector).boundingBox();
    if (box === null) throw new Error(`${selector} is not drawn`);
    return [box.x + box.width * across, box.y + box.height * down];
  }

  it('draws one finding: lanes by kind, deciding events numbered, what lies between them', async () => {
    await open(samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()]));
    await expect.poll(() => page.locator('article.finding').count()).toBe(1);
    expect(await page.locator('svg.picture text.lane').allTextContents()).toEqual(
      ['pins', 'DMA pinbug.0', 'other changes'].map((name) => expect.stringContaining(name) as string),
    );
    await expect.poll(() => page.locator('svg.picture rect.bar').count()).toBe(2);
    await expect
      .poll(() => page.locator('svg.picture text.deciding').textContent())
      .toBe('no pin left, DMA still mapped');
    await expect.poll(() => page.locator('svg.picture text.span').textContent()).toBe('3.21 ms');
    const numbers = await page.locator('svg.picture g.number > text').allTextContents();
    expect(numbers).toEqual(['1', '2', '3', '4']);
    expect(await page.locator('ol.evidence .chip').allTextContents()).toEqual(numbers);
    expect(trouble).toEqual([]);
  });

  it('zooms, by buttons and keys, and tells the time under the pointer', async () => {
    await open(samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()]));
    const axis = (): Promise<string[]> => page.locator('svg.picture text.axis').allTextContents();
    const before = await axis();
    await page.getByRole('button', {name: 'Zoom to the moment it happened'}).click();
    await page.getByRole('button', {name: 'Zoom in'}).click();
    const ends = async (): Promise<[number, number]> => (await axis()).slice(0, 2).map(Number) as [number, number];
    await expect.poll(async () => (await ends()).reduce((from, to) => to - from)).toBeLessThan(0.002);
    const [from, to] = await ends();
    expect(from).toBeLessThan(17.235494);
    expect(to).toBeGreaterThan(17.235494);
    await page.mouse.move(...(await at('svg.picture', 0.7, 0.5)));
    await expect
      .poll(() => page.locator('.drawing .readout').textContent())
      .toMatch(/^17\.23\d{7} \([+-].* from the red line\)$/);
    await page.locator('svg.picture').press('0');
    await expect.poll(axis).toEqual(before);
    expect(trouble).toEqual([]);
  });

  it('has two markers that stand at events, and tells the distance between them', async () => {
    await open(samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()]));
    await page.locator('svg.picture').focus();
    await page.keyboard.press('a');
    await page.keyboard.press('.');
    await page.keyboard.press('b');
    const readout = page.locator('.drawing .readout');
    await expect
      .poll(() => readout.textContent())
      .toContain('A 17.235494000   B 17.238705000   A to B 3.21 ms (3211000 ns)');
    await expect.poll(hash).toContain('a=17.235494000;b=17.238705000');
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('svg.picture rect.marker').count()).toBe(0);
    await page.mouse.click(...(await at('svg.picture', 0.4, 0.4)));
    await page.mouse.click(...(await at('svg.picture', 0.6, 0.4)));
    await expect.poll(() => page.locator('svg.picture rect.marker').count()).toBe(2);
    expect(trouble).toEqual([]);
  });

  it('draws by lines where the clock only counts', async () => {
    await open(samples.ticksReport());
    const labels = await page.locator('svg.picture text.axis').allTextContents();
    expect(labels.every((text) => /^line 36\d\d$/.test(text))).toBe(true);
    expect(trouble).toEqual([]);
  });

  it('filters by severity, rule, device and page, and moves by keyboard', async () => {
    await open(samples.manyFindings(100));
    const buttons = page.locator('.list button');
    await expect.poll(() => buttons.count()).toBe(104);
    await page.getByLabel('note (33)').uncheck();
    await expect.poll(() => buttons.count()).toBe(71);
    await page.getByRole('combobox', {name: 'Rule'}).selectOption('writeback-while-pinned');
    await expect.poll(() => buttons.count()).toBe(1);
    await expect.poll(title).toContain('writeback-while-pinned sure, 81c02e55');
    await page.getByRole('combobox', {name: 'Rule'}).selectOption('');
    await page.getByRole('combobox', {name: 'Device'}).selectOption('0000:00:03.0');
    await expect.poll(() => buttons.count()).toBe(34);
    await page.getByRole('combobox', {name: 'Device'}).selectOption('');
    await page.getByLabel('Page or text').fill('0x40100');
    await expect.poll(() => page.getByText('0 of 104 shown').count()).toBe(1);
    await page.getByLabel('Page or text').fill('0x400fe');
    await expect.poll(title).toContain('a0441709');
    await page.getByRole('button', {name: 'No filter'}).click();
    await expect.poll(() => buttons.count()).toBe(104);
    await buttons.first().click();
    await page.keyboard.press('j');
    await expect.poll(title).toContain('81c02e55');
    expect(trouble).toEqual([]);
  });

  it('has the whole trace with every finding, and a brush that leaves a range of it', async () => {
    await open(samples.manyFindings(100));
    await expect.poll(() => page.locator('svg.overview line.find').count()).toBe(104);
    const range = page.locator('.whole .readout');
    await page.mouse.move(...(await at('svg.overview', 0.2, 0.3)));
    await page.mouse.down();
    await page.mouse.move(...(await at('svg.overview', 0.35, 0.3)), {steps: 3});
    await page.mouse.up();
    await expect.poll(() => range.textContent()).toMatch(/^17\.\d{6} to 17\.\d{6} \([\d.]+ ms\): 0 of 104 findings/);
    await expect.poll(() => page.getByText('0 of 104 shown').count()).toBe(1);
    await expect.poll(hash).toMatch(/time=17\.\d{9},17\.\d{9}/);
    const address = page.url();
    await page.getByRole('button', {name: 'whole trace'}).click();
    await expect.poll(() => page.locator('.list button').count()).toBe(104);
    // the page writes its address a moment later
    await expect.poll(hash).not.toContain('time=');
    await page.goto(address);
    await page.reload();
    await expect.poll(() => page.getByText('0 of 104 shown').count()).toBe(1);
    expect(trouble).toEqual([]);
  });

  it('shows hostile text as text', async () => {
    await open(samples.hostileReport());
    await expect.poll(() => page.locator('article.finding script, article.finding img').count()).toBe(0);
    await expect
      .poll(() => page.locator('.message').textContent())
      .toBe('\\x1b[31mx<script>\\n|`@me #1/310 did it </script><!--');
    expect(await page.evaluate("document.querySelectorAll('script').length")).toBe(3);
    expect(trouble).toEqual([]);
  });

  it('has an address for every finding, and says of one that is not there', async () => {
    await open(samples.manyFindings(20));
    await page.locator('.causes a', {hasText: '81c02e55'}).first().click();
    await expect.poll(title).toContain('81c02e55');
    await page.keyboard.press('j');
    await expect.poll(hash).not.toContain('81c02e55');
    await expect.poll(title).toContain(hash());
    await page.evaluate("location.hash = '#81c0'");
    await expect.poll(title).toContain('81c02e55');
    await page.locator('.list button').nth(2).click();
    await page.goBack();
    await expect.poll(title).toContain('81c02e55');
    await page.evaluate("location.hash = '#F812'");
    await expect.poll(() => page.locator('.notice').textContent()).toContain('F812 is not in this file');
    expect(trouble).toEqual([]);
  });

  it('has an address for a view, and takes any text for one', async () => {
    await open(samples.manyFindings(20));
    const view = '#81c02e55;severity=error,warning;scale=time;a=17.3;order=distance';
    await page.evaluate(`location.hash = '${view}'`);
    await expect.poll(title).toContain('81c02e55');
    await expect.poll(() => page.getByLabel('note').isChecked()).toBe(false);
    await expect.poll(() => page.getByRole('combobox', {name: 'Order'}).inputValue()).toBe('distance');
    for (const bad of ['#%', '#;time=9,1;view=x;page=0x;severity=', '#81c02e55;view=1e9;a=NaN;scale=<b>']) {
      await page.evaluate(`location.hash = ${JSON.stringify(bad)}`);
      await page.waitForTimeout(50);
    }
    expect(trouble).toEqual([]);
  });

  it('draws any page of a finding, with its own lines', async () => {
    await open(await analyzeFiles(['sample-traces/ftrace/misuse-6.12-page_ref.txt.gz']));
    await page.getByRole('combobox', {name: 'Rule'}).selectOption('unpin-while-dma');
    const picker = page.getByRole('combobox', {name: 'Page', exact: true});
    const pages = await picker.locator('option').allTextContents();
    expect(pages.length).toBeGreaterThan(1);
    const lines = page.locator('article > ol.evidence code');
    expect((await lines.allTextContents()).join()).toContain(`pfn=${pages[0]} `);
    await picker.selectOption({label: String(pages[1])});
    const own = await lines.allTextContents();
    expect(own.join()).toContain(`pfn=${pages[1]} `);
    expect(own.join()).not.toContain(`pfn=${pages[0]} `);
    await expect.poll(() => page.locator('svg.picture text.deciding').count()).toBe(1);
    await expect.poll(() => page.locator('svg.picture rect.late').count()).toBe(1);
    await expect.poll(hash).toContain(`page=${pages[1]}`);
    await page.locator('article h2').click();
    await page.keyboard.press('[');
    await expect.poll(() => picker.locator('option:checked').textContent()).toBe(pages[0]);
    expect(trouble).toEqual([]);
  });

  it('copies commands: sed, history, SQL, and the address', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await open(samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()]));
    const clipboard = (): Promise<unknown> => page.evaluate('navigator.clipboard.readText()');
    await page.getByRole('button', {name: 'Copy the command that shows line 3641'}).click();
    await expect.poll(clipboard).toBe('sed -n 3641p bugs.txt');
    await page.getByRole('button', {name: "Copy: its pages' history about it"}).click();
    await expect.poll(clipboard).toBe('pinscope history --around 3f9a1c02 bugs.txt');
    await page.getByRole('button', {name: 'Copy: the same lines by SQL'}).click();
    await expect.poll(clipboard).toContain("WHERE finding_key = '3f9a1c02'");
    await page.getByRole('button', {name: 'Copy the address'}).click();
    await expect.poll(clipboard).toMatch(/^file:.*report\.html#3f9a1c02$/);
    expect(trouble).toEqual([]);
  });

  it('is whole on paper: what was read, causes, one finding; and says that it is one', async () => {
    await open(samples.manyFindings(20));
    await page.evaluate("window.dispatchEvent(new Event('beforeprint'))");
    await page.emulateMedia({media: 'print'});
    for (const seen of ['.verdict', '.causes', 'svg.overview', '#page > details dl.facts', 'svg.picture', '.onpaper'])
      await expect.poll(() => page.locator(seen).isVisible(), {message: seen}).toBe(true);
    for (const gone of ['.filters', '.list', '.tools', '.buttons'])
      await expect.poll(() => page.locator(gone).isVisible()).toBe(false);
    await expect
      .poll(() => page.locator('.onpaper').textContent())
      .toBe('On paper: one finding in full; 23 more are in the file or the trace.');
    await page.emulateMedia({media: 'screen'});
    // what is not true to time says so on paper too
    await page.evaluate("location.hash = '#3f9a1c02;scale=steps'");
    await expect.poll(() => page.locator('.untrue').isVisible()).toBe(true);
    await page.emulateMedia({media: 'print'});
    await expect.poll(() => page.locator('.untrue').isVisible()).toBe(true);
    await page.emulateMedia({media: 'screen'});
    expect(trouble).toEqual([]);
  });

  it('reads as this', async () => {
    await page.setViewportSize({width: 1280, height: 900});
    await open(samples.manyFindings(40));
    const text = await page.locator('#page').innerText();
    await expect(`${text.replace(/\n{2,}/g, '\n')}\n`).toMatchFileSnapshot('snapshots/big.html-text.txt');
  });

  it('holds 1,500 findings, and says how many it leaves out', async () => {
    const file = path.join(folder, 'many.html');
    writeFileSync(file, many());
    await page.goto(pathToFileURL(file).href);
    await expect.poll(() => page.locator('.list button').count()).toBe(1504);
    await expect.poll(() => page.locator('svg.overview line.find').count()).toBe(1504);
    await expect
      .poll(() => page.locator('.count').textContent())
      .toBe('1,504 of 1,504 shown in this file, of 1,604 found');
  }, 60_000);

  it('says that nothing was found, and which rules could not run', async () => {
    await open(samples.nothingFound());
    await expect
      .poll(() => page.locator('.verdict').textContent())
      .toContain(
        '3 of 4 rules ran, 1 of them in part; not judged: writeback-while-pinned (the trace lacks writeback).',
      );
    await expect.poll(() => page.locator('td', {hasText: 'writeback-while-pinned'}).count()).toBe(1);
    expect(trouble).toEqual([]);
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
  ] as const)('never scrolls sideways: %s, %i wide', async (colorScheme, width) => {
    await page.emulateMedia({colorScheme});
    await page.setViewportSize({width, height: 900});
    await open(samples.manyFindings(10));
    const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    const theme = await page.evaluate('document.documentElement.dataset.theme');
    expect(theme).toBe(colorScheme);
    if (process.env.SCREENSHOTS !== undefined) {
      await page.screenshot({path: path.join(process.env.SCREENSHOTS, `report-${colorScheme}-${width}.png`)});
    }
    expect(trouble).toEqual([]);
  });
});
