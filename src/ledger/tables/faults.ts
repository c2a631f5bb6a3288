/** Faults of an IOMMU, and what their addresses were. */
import type {Run} from './dma.js';
import type {Deed, Reference} from './references.js';

/** An IOMMU let a device not through to an address. */
export interface Fault {
  deed: Deed;
  /** the address: an IOVA */
  address: number;
  /** index into the mappings' devices, known once it was looked up; -1 one that mapped nothing in the trace, or none is named */
  device: number;
  /** `0000:05:00.0`; empty where the fault names none */
  deviceName: string;
  /** bits of Access; -1 not known */
  access: number;
  /** its time is that of the line before, not its own */
  untimed: boolean;
}

/** What is kept of a mapping after its unmap. */
export interface EndedMapping {
  device: number;
  dir: number;
  open: Deed;
  close: Deed;
  /** the unmap is this mapping's for certain */
  certain: boolean;
  runs: readonly Run[];
  /** runs of DMA addresses of a list, in order; of one address `low` to `high` */
  spans: readonly DmaSpan[] | undefined;
  /** from the lowest of its addresses to behind the highest */
  low: number;
  high: number;
  /** pages of it that are not printed */
  cut: boolean;
  /** by page, as far as kept: the pins and gets that covered it when it was unmapped */
  holders: readonly (readonly Reference[])[];
}

/** Bytes of a list that lie together on the side of the device. */
export interface DmaSpan {
  address: number;
  size: number;
}

/** What an address was when it faulted. */
export type Found =
  | {state: 'mapped'}
  /** `before`: another mapping of the same address that ended before */
  | {state: 'ended'; mapping: EndedMapping; before: EndedMapping | undefined; pfn: number; page: number}
  /** no mapping of it was seen to end, or its end is kept no more */
  | {state: 'never'}
  /** the end of its mapping is not known, or too much was looked through for the events there are */
  | {state: 'unknown'};
