import {describe, expect, it} from 'vitest';
import {analyzeText} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x2fb0;
const THP = 0x600;

/** Which task's pin is left: an unpin too early tells whose it dropped, a leak whose it did not. */
async function leftBy(k: SmallKernel): Promise<(string | undefined)[]> {
  k.wait(50_000);
  k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
  const {findings} = await analyzeText(k.text());
  return findings.filter((f) => f.rule === 'pin-leak').map((f) => f.tasks[0]?.comm);
}

/** Two tasks pin a page, `a` first. */
function twoPins(): SmallKernel {
  const k = new SmallKernel();
  k.anon(P);
  k.by({task: 'a-401'}, () => k.pin(P));
  k.by({task: 'b-402', cpu: 1}, () => k.pin(P));
  return k;
}

describe('an unpin drops', () => {
  it("the task's own pin, where a task drops one", async () => {
    const k = twoPins();
    k.by({task: 'b-402', cpu: 1}, () => k.unpin(P));
    expect(await leftBy(k)).toEqual(['a']);
  });

  it('the oldest, in an interrupt: the task there is the interrupted one', async () => {
    const k = twoPins();
    k.by({task: 'b-402', cpu: 1, irq: true}, () => k.unpin(P));
    expect(await leftBy(k)).toEqual(['b']);
  });

  it('the oldest, in a worker that pinned nothing', async () => {
    const k = twoPins();
    k.by({task: 'kworker/1:1-29', cpu: 1}, () => k.unpin(P));
    expect(await leftBy(k)).toEqual(['b']);
  });

  it('the pin of the sub-pages it names, whoever took it', async () => {
    const k = new SmallKernel();
    k.anon(THP, 9);
    k.by({task: 'a-401'}, () => k.pin(THP, {sub: THP + 4, n: 2}));
    k.by({task: 'b-402', cpu: 1}, () => k.pin(THP, {sub: THP + 8, n: 2}));
    k.by({task: 'a-401'}, () => k.unpin(THP, {sub: THP + 8, n: 2}));
    expect(await leftBy(k)).toEqual(['a']);
  });

  it('several pins, when it drops more than one took', async () => {
    const k = new SmallKernel();
    k.anon(THP, 9);
    k.pin(THP, {sub: THP});
    k.pin(THP, {sub: THP + 1});
    k.unpin(THP, {n: 2});
    expect(await leftBy(k)).toEqual([]);
  });

  it('never a plain reference while there is a pin', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.pin(P);
    k.unpin(P);
    expect(await leftBy(k)).toEqual([]);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => f.rule)).toEqual(['get-leak']);
  });
});
