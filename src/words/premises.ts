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
      return premise.link.owner === 'get' ? 'mapped under that reference' : "mapped for the pin's own I/O";
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
    case 'timed':
      return 'the times tell what came first';
    case 'told':
      return premise.says;
  }
}
