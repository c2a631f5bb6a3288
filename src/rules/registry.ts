import {dirtyAfterUnpin, dirtyAfterWriteback} from './dirty.js';
import {dmaAfterUnmap} from './dma-after-unmap.js';
import {dmaWithoutPin} from './dma-without-pin.js';
import {freeWhileDma} from './free-while-dma.js';
import {freeWhilePinned} from './free-while-pinned.js';
import {getLeak, pinLeak} from './leaks.js';
import {longPin} from './long-pin.js';
import {longtermPinInCma} from './longterm-pin-in-cma.js';
import {putOnPin} from './put-on-pin.js';
import {putWhileDma} from './put-while-dma.js';
import type {Rule} from './types.js';
import {unpinWhileDma} from './unpin-while-dma.js';
import {unpinWithoutPin} from './unpin-without-pin.js';
import {writebackWhileDma} from './writeback-while-dma.js';
import {writebackWhilePinned} from './writeback-while-pinned.js';

/** Every rule, in the order of the contract. An id never changes its meaning; see docs/decisions. */
export const RULES: readonly Rule[] = [
  unpinWhileDma,
  freeWhileDma,
  putWhileDma,
  writebackWhilePinned,
  writebackWhileDma,
  dirtyAfterWriteback,
  dirtyAfterUnpin,
  putOnPin,
  unpinWithoutPin,
  pinLeak,
  getLeak,
  freeWhilePinned,
  dmaWithoutPin,
  longtermPinInCma,
  dmaAfterUnmap,
  longPin,
];

/** Changes when a rule's verdicts change. */
export const RULES_VERSION = '1';
