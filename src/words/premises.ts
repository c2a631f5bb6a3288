/** What each premise claims, in the few words that stand in a proof. */
import type {Premise} from '../claims/premise.js';

export function premiseWords(premise: Premise): string {
  switch (premise.id) {
    case 'held':
      return premise.kind === 'pin' ? 'it was a pin' : 'it was a get_user_pages reference';
    case 'still-held':
      return `the ${premise.reference.kind} was held then`;
    case 'last':
      return `no ${premise.kind} was left`;
    case 'owns':
      return premise.link.owner === 'get'
        ? 'it was mapped under that reference'
        : "it was mapped for the pin's own I/O";
    case 'live':
      return "the mapping's own end came later";
    case 'of-file':
      return 'the page was of a file';
    case 'under-writeback':
      return 'the writeback was running';
    case 'freed':
      return 'the page was freed';
    case 'never':
      return `it was not ${premise.what} in between`;
    case 'counted':
      return 'the printed count shows it';
    case 'whole-life':
      return 'its life was seen from the beginning';
    case 'no-fault':
      return 'no write fault of the program explains it';
    case 'unmapped':
      return 'the mapping was over then, and the address was not mapped again';
    case 'not-mapped':
      return 'no mapping of the address is in the trace';
    case 'named':
      return 'this page is the one that the events name';
    case 'unfiltered':
      return "changes of the page's count would be in the trace";
    case 'timed':
      return 'the times tell what came first';
    case 'unabridged':
      return 'the input is a whole trace';
    case 'before':
    case 'told':
      return premise.says;
  }
}

/** By what each premise is proven, in words; src/proof/provers.ts does it. Facts that are told say it themselves. */
export const PROVEN_BY: Readonly<Record<Premise['id'], string>> = {
  held: 'its taking, typed by the flags of a probe, a count that grew by 1024, or a stack',
  'still-held': 'its drop, which came later; or a certificate that no drop was missed',
  last: 'a printed count of less than 1024 after the drop; else every taking of the page in a trace certified to show them',
  owns: 'a mapping made by the task that took the reference, while nothing else on the page could be meant',
  live: 'the end of this very mapping (its unmap, or the completion of its request), which came later on a clock that orders the two',
  'of-file': 'a filemap event of this life of the page, or its flags',
  'under-writeback': 'the start and the own end of the writeback, or flags that page_ref events print',
  freed: 'its free event',
  never:
    'a certificate: each function by which it could have happened is traced, nothing is lost there, and no law is broken',
  counted: 'the count that the kernel printed, by itself',
  'whole-life': 'its allocation, in the trace',
  'no-fault':
    'counts: nobody took the page before it was marked; else markings that its file system makes in each write fault, as this trace shows',
  unmapped: 'its unmap before the fault, and no mapping of the address in between, as iommu:map would show',
  'not-mapped': 'a certificate that no mapping was missed',
  named:
    'a PFN, a pointer under a base that is told, printed or agreed on by pairs, or an address of a known page size',
  unfiltered: 'a small page, whose pins change its count by 1024, or page_ref events of smaller changes too',
  timed: 'times of a clock that is known',
  unabridged: 'lines that a tool printed, not an excerpt in a mail',
  before: 'one CPU, or a clock that orders the two',
  told: '',
};
