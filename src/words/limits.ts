/** Bounds that were reached, in words: what is missing from the result because of them. */
import type {Limit} from '../base/limits.js';

const DIVIDE = 'analyse a part of the trace: fewer events, CPUs or a shorter time';

export const LIMIT_WORDS: Record<Limit, {severity: 'warning' | 'note'; message: string; advice: string}> = {
  pages: {
    severity: 'warning',
    message: 'events of pages beyond the 8,388,608 that are followed: nothing is known of these pages',
    advice: DIVIDE,
  },
  tasks: {
    severity: 'note',
    message: 'events of tasks beyond the 100,000 that are told apart: they are named (more tasks)',
    advice: DIVIDE,
  },
  devices: {
    severity: 'note',
    message: 'events of devices beyond the 10,000 that are told apart: they are unnamed',
    advice: DIVIDE,
  },
  stacks: {
    severity: 'note',
    message: 'call stacks beyond the 50,000 that are told apart: they are not shown',
    advice: DIVIDE,
  },
  'file-pages': {
    severity: 'note',
    message: 'pages of files beyond the 2,000,000 whose file is remembered: they name no file',
    advice: DIVIDE,
  },
  references: {
    severity: 'warning',
    message:
      'pins and gets of pages that hold 1000 others, or beyond the 1,000,000 that are told apart at a time: counted, but who took them and when is not kept',
    advice: 'a page with so many references is unusual: see it with pinscope history --pfn',
  },
  mappings: {
    severity: 'note',
    message: 'DMA mappings of pages under 32 others: of these pages only the newest mappings are followed',
    advice: 'a device that never unmaps, or the unmap events are missing',
  },
  'mapping-pages': {
    severity: 'note',
    message:
      'DMA mappings of more than 262,144 pages, or of more than 65,536 in a row: the rest of them is not followed',
    advice: 'memory mapped in such large pieces (VFIO) is judged by its first pages',
  },
  calls: {
    severity: 'note',
    message: 'calls that were begun and not seen to return, given up',
    advice: 'returns are missing: see losses',
  },
  looks: {
    severity: 'warning',
    message: 'folios or mappings too large and too many to look at each of their pages: they were looked at in part',
    advice: 'the input is damaged or made up',
  },
  waiting: {
    severity: 'warning',
    message: 'violations whose mapping was still open, given up because more than 100,000 waited',
    advice: 'the unmap events are missing, or restrict with --pfn or --time',
  },
  'finding-pages': {
    severity: 'note',
    message: 'pages of findings that are counted and not listed',
    advice: 'restrict with --rule, --pfn or --time',
  },
  'kept-by-rules': {
    severity: 'warning',
    message: 'pages that a rule watched and gave up, because it watched too many at once',
    advice: DIVIDE,
  },
  names: {
    severity: 'note',
    message: 'events with names beyond the 4096 that are told apart: they are counted as (more names)',
    advice: DIVIDE,
  },
  facts: {
    severity: 'note',
    message: 'header facts beyond the 1000 that are read',
    advice: 'the input is damaged or made up',
  },
};
