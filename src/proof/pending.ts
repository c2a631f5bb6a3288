/**
 * Claims wait here, and only here: until the mapping they are about has ended, and until losses that reach back to them
 * are told (a loss is told only before the next event of its CPU, those of probes in a recording's last lines).
 */
import type {Claim} from '../claims/claim.js';
import type {Listener} from '../ledger/listener.js';
import type {Model} from '../ledger/model.js';
import type {DmaWindow} from '../ledger/tables/dma.js';
import {type Proof, prove} from './prove.js';
import type {Court} from './provers.js';
import {Silence} from './silence.js';

/** Most claims that wait for a mapping's end; those of the one that has waited longest are given up first. */
const AWAITING_MAX = 100_000;
/** Most claims that wait for losses to become known. */
const WAITING_MAX = 20_000;

export class Pending implements Listener {
  private readonly awaiting = new Map<DmaWindow, Claim[]>();
  private awaited = 0;
  private readonly waiting: {claim: Claim; heard: number}[] = [];
  private readonly court: Court;

  constructor(
    private readonly m: Model,
    private readonly tell: (claim: Claim, proof: Proof) => void,
  ) {
    this.court = {m, silence: new Silence(m)};
  }

  add(claim: Claim): void {
    const {page} = claim;
    if (claim.journal === undefined && this.m.pages.generation[page.row] === page.generation)
      claim.journal = this.m.pages.journals[page.row];
    const window = claim.awaits;
    if (window === undefined) {
      this.ready(claim);
      return;
    }
    const list = this.awaiting.get(window);
    if (list) list.push(claim);
    else this.awaiting.set(window, [claim]);
    if (++this.awaited <= AWAITING_MAX) return;
    const [[oldest, given]] = this.awaiting as unknown as [[DmaWindow, Claim[]]];
    this.awaiting.delete(oldest);
    this.awaited -= given.length;
    this.m.limits.hit('waiting', given.length);
  }

  dmaClosed(window: DmaWindow): void {
    const list = this.awaiting.get(window);
    if (!list) return;
    this.awaiting.delete(window);
    this.awaited -= list.length;
    const close = window.close!;
    for (const claim of list) {
      claim.end = close.t;
      claim.args.distance = close.t - claim.at;
      claim.evidence.push({role: 'dma-unmap', deed: close});
      this.ready(claim);
    }
  }

  /** Windows whose end never came: nothing is claimed of a device that leaves its mappings open. */
  ended(): void {
    for (const [window, list] of this.awaiting) {
      if (!this.m.dma.endsToBeExpected(window)) continue;
      for (const claim of list) this.ready(claim);
    }
    this.awaiting.clear();
    this.awaited = 0;
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
