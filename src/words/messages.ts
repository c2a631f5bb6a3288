/** The sentence of every finding: the only place with these words. */
import {formatDuration} from '../base/duration.js';
import type {Claim} from '../claims/claim.js';
import type {RuleId} from '../claims/claim.js';

/** What a message may name besides the claim's own facts. */
export interface MessageNames {
  /** `PFN 0x2fb0` or `4 pages (PFN 0x2f7c...)` */
  pages: string;
  /** by role: `wl/309` */
  task(role: string): string;
  /** `pinbug.0`, or empty */
  device: string;
  /** counting clocks have no durations */
  ticks: boolean;
}

type Message = (v: Claim, names: MessageNames) => string;

const MESSAGES: Record<RuleId, Message> = {
  'unpin-while-dma': (v, n) =>
    `${n.pages}: ${n.task('unpin')} dropped the last pin while ${n.device} still had it mapped ` +
    `(${fact(v, 'direction')})${ending(v, n)}` +
    `${fact(v, 'stillGot') === 'true' ? '; a get_user_pages reference still held it' : ''}`,
  'free-while-dma': (v, n) =>
    `${n.pages}: ${fact(v, 'reused') === 'true' ? 'handed out again to' : 'freed by'} ${n.task('free')} while ${n.device} still had it ` +
    `mapped (${fact(v, 'direction')})${ending(v, n)}`,
  'put-while-dma': (v, n) =>
    `${n.pages}: ${n.task('put')} dropped the last get_user_pages reference while ${n.device} still had it mapped ` +
    `(${fact(v, 'direction')})${ending(v, n)}`,
  'writeback-while-pinned': (v, n) => `${n.pages}: ${writeback(v, n)}`,
  'writeback-while-dma': (v, n) =>
    `${n.pages}: written back by ${n.task('writeback')} while ${n.device} could write it (${fact(v, 'direction')}) under a plain ` +
    'get_user_pages reference: the data on disk may be torn, and a checksum over it may not match',
  'dirty-after-writeback': (v, n) =>
    `${n.pages}: ${n.task('dirty')} marked it dirty at unpin${after(v, n, ', ', ' after writeback had cleaned it under that pin', ' after writeback had cleaned it under that pin')}: ` +
    'the file system was not told of what the device wrote',
  'dirty-after-unpin': (v, n) =>
    `${n.pages}: ${n.task('dirty')} marked it dirty for the device's data only ${duration(v, n)}after its pin was dropped: ` +
    'until then it could be taken for clean',
  'put-on-pin': (v, n) =>
    fact(v, 'large') === 'true'
      ? `${n.pages}: a pin of ${n.task('pin')} was dropped with put_page(); the folio was freed with its pin count still up`
      : `${n.pages}: a pin of ${n.task('pin')} was dropped with put_page(): ${fact(v, 'residue')} of its 1024 references stay behind and the page can never be freed`,
  'unpin-without-pin': (v, n) =>
    `${n.pages}: ${n.task('unpin')} unpinned it ` +
    (fact(v, 'onGet') === 'true'
      ? 'although it held a plain get_user_pages reference, no pin'
      : 'once more than it was pinned') +
    (fact(v, 'negative') === 'true' ? `; its count fell to ${fact(v, 'count')}` : ''),
  'pin-leak': (v, n) => `${n.pages}: ${held(v, n, 'pin')}`,
  'get-leak': (v, n) => `${n.pages}: ${held(v, n, 'get_user_pages reference')}`,
  'free-while-pinned': (v, n) =>
    `${n.pages}: freed by ${n.task('free')} while ${n.task('pin')} still held ${fact(v, 'pages')} pins of the folio`,
  'dma-without-pin': (v, n) =>
    `${n.pages}: mapped for DMA on ${n.device} (${fact(v, 'direction')}) by ${n.task('get')}, which holds it by get_user_pages only`,
  'longterm-pin-in-cma': (_v, n) => `${n.pages}: pinned long-term by ${n.task('pin')} in a CMA block`,
  'dma-after-unmap': (v, n) =>
    fact(v, 'mapped') === 'true'
      ? `${n.pages}: ${n.device} ${fact(v, 'access')} DMA address ${fact(v, 'address')}${after(v, n, ' ', '', '')} after ${n.task('dma-unmap')} had unmapped it ` +
        `(${fact(v, 'direction')})${unpinned(v, n)}: the IOMMU stopped it`
      : `${fact(v, 'device') === '' ? 'a device' : fact(v, 'device')} ${fact(v, 'access')} DMA address ${fact(v, 'address')}, which no mapping in the trace had: ` +
        'mapped and unmapped before the trace, or never; the IOMMU stopped it',
  'long-pin': (v, n) =>
    `${n.pages}: pinned by ${n.task('pin')} for ${duration(v, n)}without FOLL_LONGTERM${fact(v, 'dropped') === 'true' ? '' : ', and still held at the end of the trace'}`,
};

/** The sentence of a finding, without a full stop. */
export function messageOf(v: Claim, names: MessageNames): string {
  return MESSAGES[v.rule](v, names);
}

function writeback(v: Claim, n: MessageNames): string {
  const when = fact(v, 'late') === 'true' ? 'pinned while under writeback' : 'written back while pinned';
  const by = `${when} (pin of ${n.task('pin')}, writeback by ${n.task('writeback')})`;
  if (fact(v, 'anonymous') === 'true') return `${by}; an anonymous page: harmless unless the kernel is old`;
  if (fact(v, 'mapped') === 'true') {
    return (
      `${by} while ${n.device} could write it (${fact(v, 'direction')}): the data on disk may be torn, a checksum over it may ` +
      'not match, and what the device writes after the cleaning is dirty data the file system was not told of'
    );
  }
  if (v.severity === 'note') return `${by}; the device only reads it, or the pin is for reading: harmless`;
  return `${by}; no device-writable mapping in view, but the pin allows writing: later data may be dirty without the file system's knowledge`;
}

function held(v: Claim, n: MessageNames, what: string): string {
  if (fact(v, 'unknown') === 'true')
    return 'still allocated after its last mapping went: a reference that nobody drops is left, perhaps one of get_user_pages';
  if (fact(v, 'leak') === 'true')
    return `a ${what} of ${n.task(what === 'pin' ? 'pin' : 'get')} was never dropped, although the page's last mapping is gone`;
  if (fact(v, 'before') === 'true') return `a ${what} from before the trace is still held at its end`;
  return `a ${fact(v, 'longterm') === 'true' ? 'long-term ' : ''}${what} of ${n.task(what === 'pin' ? 'pin' : 'get')} is still held at the end of the trace`;
}

function fact(v: Claim, name: string): string {
  return String(v.args.facts?.[name] ?? '');
}

function after(v: Claim, n: MessageNames, before: string, behind: string, otherwise: string): string {
  const {distance} = v.args;
  if (distance === undefined || !Number.isFinite(distance)) return otherwise;
  if (n.ticks) return `${before}${distance} ticks${behind}`;
  return `${before}${formatDuration(distance)}${behind}`;
}

/** Who unpinned the page that a device touched after its unmap, and when. */
function unpinned(v: Claim, n: MessageNames): string {
  if (fact(v, 'unpinned') === '') return '';
  const when = n.ticks ? '' : ` ${fact(v, 'unpinned')} before`;
  return `; ${n.task('unpin')} dropped its pin${when}`;
}

/** What ended the mapping, and how long after. */
function ending(v: Claim, n: MessageNames): string {
  const end = fact(v, 'end') === 'completion' ? '; its request was complete ' : '; the unmap came ';
  return after(v, n, end, ' later', '; no unmap was seen');
}

function duration(v: Claim, n: MessageNames): string {
  const {distance} = v.args;
  if (distance === undefined || !Number.isFinite(distance) || n.ticks) return '';
  return `${formatDuration(distance)} `;
}
