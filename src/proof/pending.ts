/**
 * Claims wait here, and only here: until the mapping they are about has ended, and until losses that reach back to them
 * are told (a loss is told only before the next event of its CPU, those of probes in a recording's last lines).
 */
import type {Charge, Claim} from '../claims/claim.js';
import type {Listener} from '../ledger/listener.js';
import type {Ledger} from '../ledger/ledger.js';
import {kindOnceRead} from '../ledger/moment.js';
import type {DmaWindow} from '../ledger/tables/dma.js';
import {AwaitedEnds} from './awaited-ends.js';
import {type Proof, prove} from './prove.js';
import type {Court} from './ruling.js';
import {Silence} from './silence.js';
import {type Failed, Waiting} from './waiting.js';

/** Most claims that wait for losses to become known. */
const WAITING_MAX = 20_000;

export class Pending implements Listener {
  private readonly awaiting: AwaitedEnds;
  private readonly waiting: Waiting[] = [];
  private readonly court: Court;

  constructor(
    private readonly m: Ledger,
    private readonly tell: (claim: Claim, proof: Proof) => void,
  ) {
    this.court = {m, silence: new Silence(m)};
    this.awaiting = new AwaitedEnds(m, (it) => this.ready(it));
  }

  /** Takes a claim of a rule. `failed` hears of an error in what the rule says of it later. */
  add(charge: Charge, failed: Failed): void {
    const {page, at, awaits} = charge;
    const it = new Waiting(charge, failed);
    if (this.m.pages.generation[page.row] === page.generation)
      it.excerpt = this.m.book.about(page.row, at, () => it.lines);
    if (awaits === undefined) this.ready(it);
    else this.awaiting.add(it, awaits);
  }

  dmaClosed(window: DmaWindow): void {
    this.awaiting.closed(window);
  }

  dmaAbandoned(window: DmaWindow): void {
    this.awaiting.abandoned(window);
  }

  ended(): void {
    this.awaiting.ended();
  }

  private ready(it: Waiting): void {
    it.ready = now();
    this.waiting.push(it);
    if (this.waiting.length > WAITING_MAX) this.settle(WAITING_MAX / 2);
  }

  /** Proves the oldest `n` claims. */
  settle(n = this.waiting.length): void {
    for (const it of this.waiting.splice(0, n)) {
      const claim = this.said(it);
      const proof = claim && prove(claim, this.court);
      if (proof !== undefined) this.tell(claim!, proof);
      else if (it.excerpt) this.m.book.entries.release(it.excerpt);
    }
  }

  /** What a rule says takes no other down with it. */
  private said(it: Waiting): Claim | undefined {
    const {page, at} = it;
    page.kind = kindOnceRead(this.m, page, at);
    try {
      return it.claim();
    } catch (error) {
      it.failed(error, it.at);
      return undefined;
    }
  }

  /** Proves what was claimed `age_ms` ago and before. Answers the moment of the first that still waits. */
  settleOlder(age_ms: number): number | undefined {
    const until = now() - age_ms;
    let ready = 0;
    while (ready < this.waiting.length && this.waiting[ready]!.ready <= until) ready++;
    this.settle(ready);
    return this.waiting[0]?.at;
  }
}

/** Milliseconds since the process began. */
const now = (): number => Math.round(performance.now());
