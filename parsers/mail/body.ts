/**
 * The body of a part of a mail without its transfer encoding: the lines that were encoded, each with the line of the input
 * where it began.
 */
import {CR, LF} from '../bytes.js';
import {MAX_LINE} from '../lines/line-reader.js';
import type {Encoding} from './mime.js';
import type {MailNotes} from './notes.js';
import {Base64, Bounded, looksQuotedPrintable, quotedPrintable} from './transfer.js';

export interface BodyLines {
  text(buf: Uint8Array, start: number, end: number, line: number, offset: number): void;
  tooLong(buf: Uint8Array, start: number, end: number): void;
}

export class Body {
  private readonly base64 = new Base64();
  private readonly decoded = new Bounded(MAX_LINE);
  /** where what `decoded` holds began in the input */
  private decodedLine = 0;
  private decodedOffset = 0;
  private wasBase64 = false;
  /** undeclared quoted-printable was found in this part */
  private undeclared = false;

  constructor(
    private readonly notes: MailNotes,
    private readonly to: BodyLines,
  ) {}

  /** Line `line` of the input, whose first byte is at `offset`, in a part that declares `encoding`. */
  line(encoding: Encoding, buf: Uint8Array, start: number, end: number, line: number, offset: number): void {
    const {decoded} = this;
    if (encoding === 'base64') {
      this.encoded(encoding, line);
      if (!this.wasBase64) this.base64.reset();
      this.wasBase64 = true;
      this.base64.decode(buf, start, end, (byte) => {
        if (decoded.length === 0) this.began(line, offset);
        if (byte === LF) this.decodedText();
        else decoded.add(byte);
      });
      return;
    }
    if (encoding === 'none' && !this.undeclared) {
      if (!looksQuotedPrintable(buf, start, end)) {
        this.to.text(buf, start, end, line, offset);
        return;
      }
      this.undeclared = true;
    }
    this.encoded('quoted-printable', line);
    if (decoded.length === 0) this.began(line, offset);
    if (!quotedPrintable(buf, start, end, decoded)) this.decodedText();
  }

  /** The part ends here. */
  end(): void {
    if (this.decoded.length > 0) this.decodedText();
    this.wasBase64 = false;
    this.undeclared = false;
  }

  private encoded(encoding: string, line: number): void {
    if (this.notes.encoding !== '') return;
    this.notes.encoding = encoding;
    this.notes.encodedLine = line;
  }

  private began(line: number, offset: number): void {
    this.decodedLine = line;
    this.decodedOffset = offset;
  }

  private decodedText(): void {
    const {decoded} = this;
    const {bytes} = decoded;
    let end = decoded.length;
    if (end > 0 && bytes[end - 1] === CR) end--;
    if (decoded.full) this.to.tooLong(bytes, 0, end);
    else this.to.text(bytes, 0, end, this.decodedLine, this.decodedOffset);
    decoded.clear();
  }
}
