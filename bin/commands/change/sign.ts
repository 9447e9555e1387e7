// `sallyport change sign`: shows what a change says, and adds a person's signature to it.
import { hash } from 'node:crypto';
import { CHANGE_NAMESPACE, type Change, writeBundle } from '#gateway/change/bundle';
import { ChangeRefusal } from '#gateway/change/reasons';
import { readSshSignature } from '#gateway/change/sshsig';
import { writeWhole } from '#gateway/state/private-files';
import { EXIT } from '../../exit.ts';
import { sshSign } from '../../ssh-keygen.ts';
import { terminalLines } from '../../terminal-lines.ts';
import { readOptions } from '../../usage.ts';
import { misused, readChangeFile, told } from './file.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('change sign', argv, { key: { type: 'string' } });
  if (parsed === undefined) return EXIT.usage;
  const [file, ...more] = parsed.positionals;
  const { key } = parsed.values;
  if (file === undefined || key === undefined || more.length > 0) return misused('sign', 'FILE --key KEY');
  return told('sign', async () => {
    const change = readChangeFile(file);
    checkContents(change);
    process.stdout.write(summary(change));
    const armour = sshSign(key, CHANGE_NAMESPACE, change.bundle.statement);
    const { fingerprint } = readSshSignature(armour).key;
    const others = change.bundle.signatures.filter(
      (one) => readSshSignature(one).key.fingerprint !== fingerprint,
    );
    const signatures = [...others, armour];
    writeWhole(file, writeBundle({ ...change.bundle, signatures }), 0o644);
    process.stdout.write(`signed with ${fingerprint}; signatures: ${signatures.length}\n`);
    return EXIT.ok;
  });
}

/** Nobody signs a statement about other files than those that come with it. */
function checkContents({ bundle, statement }: Change): void {
  for (const [name, { sha256 }] of Object.entries(statement.files)) {
    if (hash('sha256', bundle.contents[name] ?? '', 'hex') !== sha256)
      throw new ChangeRefusal('tampered', name);
  }
}

/** For whoever is about to sign: what somebody else wrote must not be able to write over it, or to look like more lines. */
export function summary({ id, statement }: Change): string {
  const { sequence, gateway, repository, branch, commit, author, subject } = statement;
  const lines = [
    `change ${sequence} for ${gateway}, ${id.slice(0, 12)}`,
    `  ${repository}, ${branch}`,
    `  commit ${commit}`,
    `  ${author}: ${subject}`,
    ...Object.entries(statement.files).map(([name, { path }]) => `  ${name}: ${path}`),
  ];
  return terminalLines(lines);
}
