/** What was cut out of a trace before it was mailed: lines, and the end of one. */
import {EventKind} from '../../src/events/event.js';
import {ascii, find, skipBlanks, text} from '../bytes.js';

/** `[snip]`, `<snip 200 lines>`, `[...]`, `...`, `[cut]`, `(trimmed)`, `[…]` */
const SNIP =
  /^(?:[[<({]\s*(?:snip(?:ped|s)?|cut|trimmed|elided|omitted|\.\.\.+|…)[^\])>}]{0,40}[\])>}]|snip|\.\.\.+|…|\[\s*\.\s*\.\s*\.\s*\]|-{1,10} ?(?:8<|>8|%<|✂|snip|cut(?: here)?) ?-{1,60})[-\s]{0,60}$/i;

/** Whether a line says that something was cut out here. */
export function isSnip(buf: Uint8Array, start: number, end: number): boolean {
  const pos = skipBlanks(buf, start, end);
  if (end - pos > 64 || end - pos < 3) return false;
  return SNIP.test(text(buf, pos, end).trimEnd());
}

const MT = ascii(' mt=');
const VAL = ascii(' val=');
const RET = ascii(' ret=');

/**
 * The kernel prints `... mt= val= ret=` at the end. Without `val=` the line is cut; with all of them but the last, too,
 * and then the digits of `val=` may be, while a line that somebody trimmed by hand lacks others as well.
 */
export function isCut(kind: EventKind, buf: Uint8Array, start: number, end: number): boolean {
  if (find(buf, start, end, VAL) < 0) return true;
  const hasRet = kind >= EventKind.RefModAndTest && kind <= EventKind.RefFreeze;
  return hasRet && find(buf, start, end, RET) < 0 && find(buf, start, end, MT) >= 0;
}
