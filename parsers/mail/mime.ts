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
      this.boundary = boundaryOf(value);
    }
  }

  private endHeader(): void {
    this.endField();
    if (this.type.startsWith('multipart/') && this.boundary !== '' && this.boundaries.length < MAX_DEPTH) {
      this.boundaries.push(encoder.encode(`--${this.boundary}`));
      this.state = 'skip';
    } else if (this.type === 'message/rfc822' && this.nested < MAX_DEPTH) {
      this.nested++;
      this.begin();
    } else this.state = isText(this.type) ? 'read' : 'skip';
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

/** Plain text under any of its names; HTML would need a browser, calendars and styles say nothing. */
function isText(type: string): boolean {
  return type === '' || type === 'text/plain' || type.startsWith('text/x-') || type === 'text/troff';
}

function head(buf: Uint8Array, start: number, end: number): string {
  return text(buf, start, Math.min(end, start + MAX_LOOK));
}

/** `multipart/mixed; boundary="=_x"` */
function boundaryOf(value: string): string {
  const at = value.toLowerCase().indexOf('boundary=');
  if (at < 0) return '';
  const rest = value.slice(at + 9);
  const quoted = rest.startsWith('"');
  const stop = quoted ? rest.indexOf('"', 1) : rest.search(/[;\s]|$/);
  const boundary = quoted ? rest.slice(1, stop < 0 ? rest.length : stop) : rest.slice(0, stop);
  return boundary.length <= MAX_BOUNDARY ? boundary : '';
}
