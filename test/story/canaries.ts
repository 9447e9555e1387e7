// Looks through everything that an installation has written, and every answer it gave, for values that must not be there.
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { StoryInstallation } from './installation.ts';

/** Where secrets were found; `belongs` says where one may be. `answers`: what was said to anybody. */
export function secretsFound(
  installation: StoryInstallation,
  answers: readonly string[],
  belongs: (what: string, where: string) => boolean,
): { readonly found: readonly string[]; readonly files: readonly string[] } {
  const files = globSync('**', { cwd: installation.directory, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(installation.directory, join(entry.parentPath, entry.name)))
    // The app's own log and files; the app is given what the client sent.
    .filter((file) => !file.startsWith('nginx/'));
  const found: string[] = [];
  const look = (where: string, content: string): void => {
    for (const [what, value] of installation.secrets) {
      if (value !== '' && content.includes(value) && !belongs(what, where)) found.push(`${what} in ${where}`);
    }
  };
  for (const file of files) look(file, readFileSync(installation.path(file), 'latin1'));
  for (const [index, answer] of answers.entries()) look(`answer ${index}`, answer);
  return { found, files };
}

/** The lines of a PEM file that are key, not armour. */
export function keyLines(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const [key = ''] = /-----BEGIN (?:EC )?PRIVATE KEY-----[\s\S]+?-----END/.exec(text) ?? [];
  return key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'));
}
