/** Mails, and text pasted from them, that quote a trace. */

import type {LineForm} from '../form.js';
import {MailReader} from './reader.js';
import {sniffMail} from './sniff.js';

export const mail: LineForm = {
  id: 'mail',
  title: 'a mail that quotes a trace',
  // lines stand as their writer put them: two excerpts of one mail need not follow each other in time
  ordered: true,
  sniff: sniffMail,
  open: (sink, options) => new MailReader(sink, options),
};
