/** Probes, for the slow reader. */
import {EventKind, LIST_MAX, PageName, type TraceEvent} from '../../../src/events/event.js';
import {FAMILY_OF, type OwnName} from '../../../src/events/kinds.js';
import {Key} from '../../events/keys.js';
import {probeOfEventName, probeOfSymbol, ReturnShape, type ProbeSpec} from '../../events/probe-table.js';
import {direction} from './dma.js';
import {allOnes, elements, type Field, fieldsOf, high, isPointer, low, number, signed, wide} from './values.js';

const E = EventKind;

/** Reads what a probe prints; false where the payload begins as no probe's. */
export function readProbe(name: string, line: string, pos: number, ev: TraceEvent, since612: boolean): boolean {
  const head = /^\(([^)]*)\)/.exec(line.slice(pos));
  if (head) {
    probe(name, head[1]!, line, pos + head[0].length, ev, since612);
    return true;
  }
  // the fields option: entry probes begin with `__probe_ip=`, returns with `__probe_func=`
  const dump = /^__probe_(f?)/.exec(line.slice(pos));
  if (!dump) return false;
  const spec = probeOfEventName(name);
  if (spec) probeArguments(spec, dump[1] !== '', line, pos, ev, since612);
  return true;
}

function probe(name: string, inside: string, line: string, pos: number, ev: TraceEvent, since612: boolean): void {
  const returned = /.*<- ([^+ <)]*)/.exec(inside);
  const symbol = returned ? returned[1]! : /^[^+ <]*/.exec(inside)![0];
  const address = /^0[xX][0-9a-fA-F]/.test(symbol) || /^[0-9a-fA-F]{8,}$/.test(symbol);
  const spec = symbol === '' || address ? probeOfEventName(name) : probeOfSymbol(symbol);
  if (spec) probeArguments(spec, returned !== null, line, pos, ev, since612);
}

function probeArguments(
  spec: ProbeSpec,
  returned: boolean,
  line: string,
  pos: number,
  ev: TraceEvent,
  since612: boolean,
): void {
  const kind = returned ? spec.returnKind : spec.entryKind;
  ev.begin(kind);
  const {fields: own} = FAMILY_OF[kind]!;
  const put = (name: OwnName, value: number): void => {
    if (own.includes(name)) ev[name] = value;
  };
  put('fn', spec.fn);
  const isDma = own.includes('dmaAddr');
  const names = own.includes('pageName');
  let hasNr = false;
  let pageSeen = false;
  const page = (value: string, mayBeTail: number): void => {
    const v = wide(value);
    if (returned) [ev.hasRet, ev.ok] = [1, isPointer(v) ? 1 : 0];
    if (!isPointer(v)) return;
    pageSeen = true;
    [ev.ptrHi, ev.ptrLo, ev.mayBeTail] = [high(v), low(v), mayBeTail];
    if (ev.pageName !== PageName.pfn) ev.pageName = PageName.pointer;
  };
  for (const field of fieldsOf(line, pos)) {
    const {value} = field;
    let {key} = field;
    if (key === Key.arg) {
      key = returned ? (field.index === 1 ? Key.ret : Key.unknown) : (spec.params[field.index - 1] ?? Key.unknown);
    }
    if (key === Key.page || key === Key.ptr) {
      if (!pageSeen && names) page(value, 1);
    } else if (key === Key.folio) {
      if (!pageSeen && names) page(value, 0);
    } else if (key === Key.pages) {
      const list = spec.params[0] === Key.pages || spec.entryKind === E.PinCall || spec.entryKind === E.GetCall;
      if (!names) continue;
      if (field.shape !== '' && field.shape !== '(') pages(field, ev);
      else if (!pageSeen && !list) page(value, 1);
    } else if (key === Key.pfn) {
      if (names) [ev.pfn, ev.pageName, ev.mayBeTail] = [number(value), PageName.pfn, 1];
    } else if (key === Key.refs) put('refs', signed(value));
    else if (key === Key.count || key === Key.nr || key === Key.nents) {
      put('nr', number(value));
      hasNr = true;
    } else if (key === Key.size) put('size', number(value));
    else if (key === Key.flags || key === Key.gupFlags) {
      put('gupFlags', number(value));
      put('hasFlags', 1);
    } else if (key === Key.makeDirty) put('makeDirty', value.startsWith('0') && number(value) === 0 ? 0 : 1);
    else if (key === Key.ret) {
      if (names) returned_(spec, value, ev, since612, page);
    } else if (key === Key.vmemmap) {
      put('vmemmapHi', high(wide(value)));
      put('vmemmapLo', low(wide(value)));
    } else if (key === Key.start) put('start', number(value));
    else if (key === Key.device) [ev.deviceStart, ev.deviceEnd] = [field.start, field.stop];
    else if (key === Key.addr && !isDma) put('start', number(value));
    else if (key === Key.addr || key === Key.dmaAddr) {
      put('dmaAddr', number(value));
      put('failed', allOnes(value) ? 1 : 0);
    } else if (key === Key.dir) put('dir', direction(value));
    else if (key === Key.offset) put('pageOffset', number(value));
    else if (key === Key.physAddr) put('phys', number(value));
    else if ((key === Key.pageAt || key === Key.offAt || key === Key.lenAt) && names) entry(key, field, ev);
  }
  conclude(kind, ev, hasNr);
}

function pages(field: Field, ev: TraceEvent): void {
  ev.listLength = 0;
  ev.listName = PageName.pointer;
  for (const v of elements(field, 8)) {
    if (v === 0n || ev.listLength === LIST_MAX) break;
    ev.listPtrHi[ev.listLength] = high(v);
    ev.listPtrLo[ev.listLength] = low(v);
    ev.listLen[ev.listLength++] = -1;
  }
}

function entry(key: number, field: Field, ev: TraceEvent): void {
  const at = field.index;
  if (at >= LIST_MAX) return;
  for (; ev.listLength <= at; ev.listLength++) {
    ev.listPtrHi[ev.listLength] = ev.listPtrLo[ev.listLength] = ev.listOffset[ev.listLength] = 0;
    ev.listLen[ev.listLength] = -1;
  }
  ev.listName = PageName.pointer;
  const v = wide(field.value);
  if (key === Key.pageAt) [ev.listPtrHi[at], ev.listPtrLo[at]] = [high(v), low(v & ~3n)];
  else if (key === Key.offAt) ev.listOffset[at] = number(field.value);
  else ev.listLen[at] = number(field.value);
}

function returned_(
  spec: ProbeSpec,
  value: string,
  ev: TraceEvent,
  since612: boolean,
  page: (value: string, mayBeTail: number) => void,
): void {
  ev.hasRet = 1;
  if (ev.kind === E.DmaMapReturn) {
    [ev.dmaAddr, ev.failed] = [number(value), allOnes(value) ? 1 : 0];
    return;
  }
  if (spec.returns !== ReturnShape.plain && isPointer(wide(value))) {
    page(value, 0);
    return;
  }
  ev.ret = signed(value);
  if (ev.ret < 0) ev.ok = 0;
  else if (ev.kind !== E.GrabReturn) ev.ok = 1;
  else if (spec.returns === ReturnShape.folio) ev.ok = ev.ret === 0 ? 0 : 1;
  else if (spec.returns === ReturnShape.folioOrErrno) {
    ev.ok = ev.ret !== 0 || since612 || !/^0[xX][0-9a-fA-F]/.test(value) ? 1 : -1;
  } else ev.ok = ev.ret === 1 ? 1 : -1;
}

function conclude(kind: number, ev: TraceEvent, hasNr: boolean): void {
  if (kind === E.Grab || kind === E.GupPut || kind === E.AddPin) {
    if (hasNr) ev.refs = ev.nr;
  } else if (kind === E.UnpinCall) {
    if (ev.listLength === 0) ev.nr = hasNr ? ev.nr : 1;
    else if (hasNr) ev.listLength = Math.max(0, Math.min(ev.listLength, ev.nr));
    else ev.nr = ev.listLength;
  } else if (kind === E.FoliosPut) {
    if (hasNr) ev.listLength = Math.max(0, Math.min(ev.listLength, ev.nr));
  } else if (kind === E.DmaMapSgEntry || kind === E.DmaUnmapSgEntry) {
    if (hasNr) ev.listLength = Math.max(0, Math.min(ev.listLength, ev.nr));
    for (let i = 0; i < ev.listLength; i++) if (ev.listPtrHi[i]! < 2 ** 31) ev.listLength = i;
    if (ev.listLength < ev.nr) ev.truncated = 1;
  } else if (kind === E.DmaMapReturn) ev.ok = ev.failed ? 0 : 1;
}
