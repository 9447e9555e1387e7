// Opens a person's browser. Best effort: the address is printed anyway.
import { spawn } from 'node:child_process';

export function openBrowser(url: string): void {
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  spawn(opener, [url], { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref();
}
