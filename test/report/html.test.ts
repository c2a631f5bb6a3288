import {existsSync, mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {chromium, type Browser, type Page} from 'playwright-core';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {REPORT_RENDERERS} from '../../src/report/index.js';
import type {Report} from '../../src/results/report.js';
import * as samples from './samples.js';

const browserPath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (file) => file !== undefined && existsSync(file),
);

function html(report: Report, limit?: number): string {
  return [...REPORT_RENDERERS.html(report, {color: false, width: 80, ...(limit === undefined ? {} : {limit})})].join(
    '',
  );
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
    const text = html(samples.manyFindings(1500));
    expect(text.length).toBeLessThan(20_000_000);
    expect(text).not.toContain('more not shown');
    expect(html(samples.manyFindings(600), 300)).toContain('304 more not shown');
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
  }

  it('shows one finding with its drawing, in time that can be zoomed and read', async () => {
    await open(samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()]));
    expect(await page.locator('article.finding').count()).toBe(1);
    expect(await page.locator('svg.timeline rect.bar').count()).toBe(2);
    expect(await page.locator('svg.timeline text.deciding').textContent()).toBe('no pin left, DMA still mapped');
    const before = await page.locator('svg.timeline text.axis').allTextContents();
    await page.getByRole('button', {name: 'Zoom to the moment it happened'}).click();
    await page.getByRole('button', {name: 'Zoom in'}).click();
    const after = await page.locator('svg.timeline text.axis').allTextContents();
    expect(after).not.toEqual(before);
    const numbers = after.map(Number);
    expect(Math.min(...numbers)).toBeLessThan(17.235494);
    expect(Math.max(...numbers)).toBeGreaterThan(17.235494);
    await page.locator('svg.timeline').hover();
    expect(await page.locator('.readout').textContent()).toMatch(/^17\.23\d{7} \([+-].* from the red line\)$/);
    await page.locator('svg.timeline').press('0');
    expect(await page.locator('svg.timeline text.axis').allTextContents()).toEqual(before);
    expect(trouble).toEqual([]);
  });

  it('draws by lines where the clock only counts', async () => {
    await open(samples.ticksReport());
    const labels = await page.locator('svg.timeline text.axis').allTextContents();
    expect(labels.every((text) => /^line 36\d\d$/.test(text))).toBe(true);
    expect(trouble).toEqual([]);
  });

  it('filters by severity, rule, device and page, and moves by keyboard', async () => {
    await open(samples.manyFindings(100));
    const buttons = page.locator('.list button');
    expect(await buttons.count()).toBe(104);
    await page.getByLabel('note (33)').uncheck();
    expect(await buttons.count()).toBe(71);
    await page.getByLabel('Rule').selectOption('writeback-while-pinned');
    expect(await buttons.count()).toBe(1);
    expect(await page.locator('article.finding h2').textContent()).toContain('writeback-while-pinned sure, 81c02e55');
    await page.getByLabel('Rule').selectOption('');
    await page.getByLabel('Device').selectOption('0000:00:03.0');
    expect(await buttons.count()).toBe(34);
    await page.getByLabel('Device').selectOption('');
    await page.getByLabel('Page or text').fill('0x40100');
    expect(await page.getByText('0 of 104 shown').count()).toBe(1);
    await page.getByLabel('Page or text').fill('0x400fe');
    expect(await page.locator('article.finding h2').textContent()).toContain('a0441709');
    await page.getByLabel('Page or text').fill('');
    await buttons.first().click();
    await page.keyboard.press('j');
    expect(await page.locator('article.finding h2').textContent()).toContain('81c02e55');
    expect(trouble).toEqual([]);
  });

  it('shows hostile text as text', async () => {
    await open(samples.hostileReport());
    expect(await page.locator('article.finding script, article.finding img').count()).toBe(0);
    expect(await page.locator('.message').textContent()).toBe('\\x1b[31mx<script>\\n|`@me #1/310 did it </script><!--');
    expect(await page.evaluate("document.querySelectorAll('script').length")).toBe(3);
    expect(trouble).toEqual([]);
  });

  it('has an address for every finding, and says of one that is not there', async () => {
    await open(samples.manyFindings(20));
    const title = page.locator('article.finding h2');
    await page.locator('a', {hasText: '81c02e55'}).first().click();
    expect(await title.textContent()).toContain('81c02e55');
    await page.keyboard.press('j');
    expect(page.url()).not.toContain('81c02e55');
    expect(await title.textContent()).toContain(page.url().split('#')[1]);
    await page.evaluate("location.hash = '#81c0'");
    await expect.poll(() => title.textContent()).toContain('81c02e55');
    await page.evaluate("location.hash = '#F812'");
    await expect.poll(() => page.locator('.notice').textContent()).toContain('F812 is not in this file');
  });

  it('says that nothing was found, and which rules could not run', async () => {
    await open(samples.nothingFound());
    expect(await page.locator('.verdict').textContent()).toContain(
      '3 of 4 rules ran, 1 of them in part; not judged: writeback-while-pinned (the trace lacks writeback).',
    );
    expect(await page.locator('td', {hasText: 'writeback-while-pinned'}).count()).toBe(1);
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
