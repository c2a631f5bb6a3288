/**
 * As much of RFC 5322 and MIME as it takes to find the text of a message: header fields, multipart boundaries, the parts
 * that are plain text. Fed a line at a time; depth and lengths are bounded.
 */

import {MINUS, SPACE, startsWith, TAB, text} from '../bytes.js';

/** What a line of a message is. */
export type Line = 'header' | 'read' | 'skip';
export type Encoding = 'none' | 'quoted-printable' | 'base64';

/** Messages within messages, parts within parts */
const MAX_DEPTH = 8;
/** Of a header field this much is kept. */
const MAX_FIELD = 4096;
/** RFC 2046: a boundary has at most 70 characters. */
const MAX_BOUNDARY = 70;
const MAX_LOOK = 200;
const MAX_NAME = 200;
/** Attachments that are told of. */
const MAX_SKIPPED = 8;

/** Fields that mark the head of a message; `name: ` alone would do for the payload of an event too. */
const FIELD =
  /^(?:From|To|Cc|Bcc|Subject|Date|Message-I[Dd]|In-Reply-To|References|Reply-To|Sender|Return-[Pp]ath|Received|Delivered-To|MIME-Version|Mime-Version|Content-[A-Za-z-]+|User-Agent|List-[A-Za-z-]+|DKIM-[A-Za-z-]+|ARC-[A-Za-z-]+|Authentication-Results|X-[A-Za-z0-9-]+):(?:[ \t]|$)/;
/** The line before a message in an mbox. */
const MBOX = /^From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) /;

const encoder = new TextEncoder();

export class Message {
  /** number of header fields seen */
  fields = 0;
  /** line of the first of them; 0 when there is no header */
  headerLine = 0;
  encoding: Encoding = 'none';
  private state: 'start' | 'header' | Line = 'start';
  private field = '';
  private type = '';
  /** of an attachment */
  private name = '';
  /** attachments that are no text, by name and type: the first few */
  readonly skipped: string[] = [];
  private boundary = '';
  private readonly boundaries: Uint8Array[] = [];
  private nested = 0;
  private blankBefore = true;

  /** What the line is, to be called for every line in order. `number` is its number. */
  next(buf: Uint8Array, start: number, end: number, number: number): Line {
    const blank = start === end;
    const afterBlank = this.blankBefore;
    this.blankBefore = blank;
    if (this.state === 'start') {
      if (blank) return 'skip';
      if (!this.isHead(buf, start, end)) this.state = 'read';
      else {
        this.begin();
        this.headerLine = number;
      }
    } else if (this.state !== 'header') {
      const part = this.boundaryAt(buf, start, end);
      if (part !== undefined) return part;
      if (afterBlank && MBOX.test(head(buf, start, end))) {
        this.boundaries.length = 0;
        this.nested = 0;
        this.begin();
      }
    }
    if (this.state !== 'header') return this.state as Line;
    if (blank) this.endHeader();
    else this.headerField(buf, start, end);
    return 'header';
  }

  private isHead(buf: Uint8Array, start: number, end: number): boolean {
    const line = head(buf, start, end);
    return FIELD.test(line) || MBOX.test(line);
  }

  private begin(): void {
    this.state = 'header';
    this.field = '';
    this.type = 'text/plain';
    this.name = '';
    this.boundary = '';
    this.encoding = 'none';
  }

  private headerField(buf: Uint8Array, start: number, end: number): void {
    if (buf[start] === SPACE || buf[start] === TAB) {
      // folded
      if (this.field.length < MAX_FIELD) this.field += text(buf, start, Math.min(end, start + MAX_FIELD));
      return;
    }
    this.endField();
    this.fields++;
    this.field = text(buf, start, Math.min(end, start + MAX_FIELD));
  }

  private endField(): void {
    const colon = this.field.indexOf(':');
    if (colon < 0) return;
    const name = this.field.slice(0, colon).toLowerCase();
    const value = this.field.slice(colon + 1).trim();
    this.field = '';
    if (name === 'content-transfer-encoding') {
      const encoding = value.toLowerCase();
      this.encoding = encoding === 'quoted-printable' || encoding === 'base64' ? encoding : 'none';
    } else if (name === 'content-type') {
      const semicolon = value.indexOf(';');
      this.type = (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase();
      this.boundary = parameter(value, 'boundary=', MAX_BOUNDARY);
      this.name ||= parameter(value, 'name=', MAX_NAME);
    } else if (name === 'content-disposition') this.name ||= parameter(value, 'filename=', MAX_NAME);
  }

  private endHeader(): void {
    this.endField();
    if (this.type.startsWith('multipart/') && this.boundary !== '' && this.boundaries.length < MAX_DEPTH) {
      this.boundaries.push(encoder.encode(`--${this.boundary}`));
      this.state = 'skip';
    } else if (this.type === 'message/rfc822' && this.nested < MAX_DEPTH) {
      this.nested++;
      this.begin();
    } else if (isText(this.type, this.name)) this.state = 'read';
    else {
      this.state = 'skip';
      if (this.name !== '' && this.skipped.length < MAX_SKIPPED) this.skipped.push(`${this.name} (${this.type})`);
    }
  }

  /** A boundary of this part or of one around it. */
  private boundaryAt(buf: Uint8Array, start: number, end: number): Line | undefined {
    if (end - start < 3 || buf[start] !== MINUS || buf[start + 1] !== MINUS) return undefined;
    for (let i = this.boundaries.length - 1; i >= 0; i--) {
      const boundary = this.boundaries[i]!;
      if (!startsWith(buf, start, end, boundary)) continue;
      let pos = start + boundary.length;
      const last = buf[pos] === MINUS && buf[pos + 1] === MINUS && pos + 2 <= end;
      if (last) pos += 2;
      while (pos < end && (buf[pos] === SPACE || buf[pos] === TAB)) pos++;
      if (pos !== end) continue;
      this.boundaries.length = last ? i : i + 1;
      if (last) this.state = 'skip';
      else this.begin();
      return 'skip';
    }
    return undefined;
  }
}

/** Names of files that hold lines of text, whatever type a mail program took them for. */
const TEXT_NAME = /(?:\.(?:txt|log|trace|out|dmesg|report|script)|^[^.]{1,100})$/i;
const UNTYPED = new Set([
  'application/octet-stream',
  'application/x-trace',
  'application/text',
  'text/log',
  'text/csv',
]);

/** Plain text under any of its names; HTML would need a browser, calendars and styles say nothing. */
function isText(type: string, name: string): boolean {
  if (type === '' || type === 'text/plain' || type.startsWith('text/x-') || type === 'text/troff') return true;
  return name !== '' && UNTYPED.has(type) && TEXT_NAME.test(name);
}

function head(buf: Uint8Array, start: number, end: number): string {
  return text(buf, start, Math.min(end, start + MAX_LOOK));
}

/** `multipart/mixed; boundary="=_x"`: the value of a parameter; empty where there is none, or one that is too long. */
function parameter(value: string, name: string, most: number): string {
  const at = value.toLowerCase().indexOf(name);
  if (at < 0) return '';
  const rest = value.slice(at + name.length);
  const quoted = rest.startsWith('"');
  const stop = quoted ? rest.indexOf('"', 1) : rest.search(/[;\s]|$/);
  const found = quoted ? rest.slice(1, stop < 0 ? rest.length : stop) : rest.slice(0, stop);
  return found.length <= most ? found : '';
}
