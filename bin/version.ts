// Tells which version this is, from the package.json that lies above bin/ in a clone and in dist/ alike.
import { readFileSync } from 'node:fs';

export function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
