/**
 * Claims wait here, and only here: until the mapping they are about has ended, and until losses that reach back to them
 * are told (a loss is told only before the next event of its CPU, those of probes in a recording's last lines).
 */
import type {Claim} from '../claims/claim.js';
import type {Listener} from '../ledger/listener.js';
import type {Ledger} from '../ledger/ledger.js';
import type {DmaWindow} from '../ledger/tables/dma.js';
import {AwaitedEnds} from './awaited-ends.js';
import {type Proof, prove} from './prove.js';
import type {Court} from './provers.js';
import {Silence} from './silence.js';

/** Most claims that wait for losses to become known. */
const WAITING_MAX = 20_000;

export class Pending implements Listener {
  private readonly awaiting: AwaitedEnds;
  private readonly waiting: {claim: Claim; heard: number}[] = [];
  private readonly court: Court;

  constructor(
    private readonly m: Ledger,
    private readonly tell: (claim: Claim, proof: Proof) => void,
  ) {
    this.court = {m, silence: new Silence(m)};
    this.awaiting = new AwaitedEnds(m, (claim) => this.ready(claim));
  }

  add(claim: Claim): void {
    const {page} = claim;
    if (this.m.pages.generation[page.row] === page.generation)
      claim.excerpt = this.m.book.about(
        page.row,
        claim.at,
        claim.evidence.map(({deed}) => deed),
      );
    if (claim.awaits === undefined) this.ready(claim);
    else this.awaiting.add(claim, claim.awaits);
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

  private ready(claim: Claim): void {
    if (claim.late) for (const s of claim.stacks) if (s.role === claim.late.role) s.stack = claim.late.deed.stack;
    this.waiting.push({claim, heard: Date.now()});
    if (this.waiting.length > WAITING_MAX) this.settle(WAITING_MAX / 2);
  }

  /** Proves the oldest `n` claims. */
  settle(n = this.waiting.length): void {
    for (const {claim} of this.waiting.splice(0, n)) {
      const proof = prove(claim, this.court);
      if (proof !== undefined) this.tell(claim, proof);
      else if (claim.excerpt) this.m.book.entries.release(claim.excerpt);
    }
  }

  /** Proves what was claimed before `heard`, a time of Date.now(). Answers the moment of the first that still waits. */
  settleHeard(heard: number): number | undefined {
    let ready = 0;
    while (ready < this.waiting.length && this.waiting[ready]!.heard <= heard) ready++;
    this.settle(ready);
    return this.waiting[0]?.claim.at;
  }
}
