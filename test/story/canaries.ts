// Looks through everything that an installation has written, and every answer it gave, for values that must not be there.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { unsealKey } from '#gateway/pki/signer/file-key';
import type { KeyRecord } from '#gateway/pki/signer/signer';
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

/** What nobody else may know of a file that holds a key: its lines, what seals it, and the key that is sealed. */
export function keySecrets(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  if (basename(file) === 'passphrase') return [text.trim()];
  // A signer of notes: PRIVATE+KEY+name+hash+key.
  if (text.startsWith('PRIVATE+KEY+')) return [text.trim().split('+').slice(4).join('+')];
  if (!text.startsWith('{')) return keyLines(text);
  const record = JSON.parse(text) as KeyRecord & { readonly sealed?: string };
  const passphrase = join(dirname(file), 'passphrase');
  if (record.kind !== 'file' || !existsSync(passphrase)) return [];
  const key = unsealKey(record, { passphrase: () => readFileSync(passphrase, 'utf8').trim() }, file);
  // What follows its first two lines is the public half.
  const lines = keyLines(String(key.export({ format: 'pem', type: 'pkcs8' }))).slice(0, 2);
  return [String(record.sealed), ...lines];
}

/** The lines of PEM that are key, not armour. */
function keyLines(text: string): string[] {
  const [key = ''] = /-----BEGIN (?:EC )?PRIVATE KEY-----[\s\S]+?-----END/.exec(text) ?? [];
  return key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'));
}
