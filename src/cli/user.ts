/**
 * A user without an entry in /etc/passwd (a container's, an initramfs's) has neither a home nor a shell as far as Node knows,
 * and oclif asks for both while it is loaded. This module is imported before it.
 */
import {homedir, userInfo} from 'node:os';

function known(ask: () => unknown): boolean {
  try {
    ask();
    return true;
  } catch {
    return false;
  }
}

if (!known(homedir)) process.env['HOME'] = '/';
if (process.env['SHELL'] === undefined && !known(userInfo)) process.env['SHELL'] = '/bin/sh';
