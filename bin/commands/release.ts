// `sallyport release`: the manifest of a release, made, signed, and compared with the files that are here.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAllowedSigners, type Signer, SignersError } from '#gateway/change/allowed-signers';
import {
  installationRoot,
  isBuilt,
  MANIFEST,
  makeManifest,
  RELEASE_NAMESPACE,
  readManifest,
  SIGNATURES,
  writeManifest,
} from '#gateway/release/manifest';
import { measure } from '#gateway/release/measure';
import { describe } from '#gateway/release/open';
import { writeWhole } from '#gateway/state/private-files';
import { describeError } from '#siem/system-error';
import { EXIT } from '../exit.ts';
import { SigningError, sshSign } from '../ssh-keygen.ts';
import { readOptions } from '../usage.ts';

const MANIFEST_HELP = `Usage: sallyport release manifest --out FILE

Writes the hash of every program file of this installation. The package is built with one, in dist/release.json.

Options:
  --out FILE  Where to write it

Exit codes: 0 written, 2 wrong usage.

Example: sallyport release manifest --out release.json
`;

const SIGN_HELP = `Usage: sallyport release sign FILE --key KEY

Signs a manifest with \`ssh-keygen -Y sign -n sallyport-release\`; the signature is added to FILE.sig.

Options:
  --key KEY  Your SSH key: the private key's file, or the public one's if an agent or a security key holds the other

Exit codes: 0 signed, 1 it is no manifest or was not signed, 2 wrong usage.

Example: sallyport release sign release.json --key ~/.ssh/id_ed25519.pub
`;

const CHECK_HELP = `Usage: sallyport release check --signers FILE [--manifest FILE] [--json]

Compares this installation with a signed manifest, as a gateway with \`release\` in its configuration does at each start.

Options:
  --signers FILE   Who signs releases, in OpenSSH's ALLOWED SIGNERS format
  --manifest FILE  The manifest (default: the one in the package)
  --json           Print {"verdict", "code", "version", "signers", "changed", "missing", "added"}

Exit codes: 0 as released, 1 it is not or nothing vouches for it, 2 wrong usage.

Example: sallyport release check --signers release_signers
`;

export const subcommands: Readonly<Record<string, string>> = {
  manifest: MANIFEST_HELP,
  sign: SIGN_HELP,
  check: CHECK_HELP,
};

export const help: string = `Usage: sallyport release <subcommand> [options]

  manifest  Write the hash of every program file
  sign      Sign a manifest
  check     Compare this installation with a signed manifest

Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage.

Example: sallyport release check --signers release_signers
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('release', argv, {
    out: { type: 'string' },
    key: { type: 'string' },
    signers: { type: 'string' },
    manifest: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { out, key, signers, manifest, json } = parsed.values;
  const [what, file, ...more] = parsed.positionals;
  try {
    if (what === 'manifest' && out !== undefined && file === undefined) return make(out);
    if (what === 'sign' && file !== undefined && key !== undefined && more.length === 0)
      return sign(file, key);
    if (what === 'check' && signers !== undefined && file === undefined)
      return check(signers, manifest, json);
  } catch (error) {
    if (!(error instanceof SigningError || error instanceof SignersError)) throw error;
    process.stderr.write(`sallyport release: ${error.message}\n`);
    return EXIT.no;
  }
  process.stderr.write(
    'sallyport release: use manifest --out FILE, sign FILE --key KEY, or check --signers FILE.\nTry: sallyport release --help\n',
  );
  return EXIT.usage;
}

function make(out: string): number {
  const root = installationRoot();
  const manifest = makeManifest(root, isBuilt(root));
  writeWhole(out, writeManifest(manifest), 0o644);
  process.stdout.write(
    `${Object.keys(manifest.files).length} files of release ${manifest.release} in ${out}\n`,
  );
  return EXIT.ok;
}

function sign(file: string, key: string): number {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (readManifest(text) === undefined) throw new SigningError(`${file} is no manifest`);
  const path = `${file}${SIGNATURES}`;
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  writeWhole(path, `${before}${sshSign(key, RELEASE_NAMESPACE, text)}`, 0o644);
  process.stdout.write(`signed: ${path}\n`);
  return EXIT.ok;
}

function readSigners(file: string): readonly Signer[] {
  try {
    return readAllowedSigners(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = describeError(error, file);
    throw new SignersError(why, { cause: error });
  }
}

function check(list: string, manifest: string | undefined, json: boolean): number {
  const root = installationRoot();
  const signers = readSigners(list);
  const measured = measure({ root, built: isBuilt(root), manifest, signers, now: Date.now() });
  const beside = manifest ?? join(root, MANIFEST);
  process.stdout.write(json ? `${JSON.stringify(measured)}\n` : `${describe(measured)}; by ${beside}\n`);
  return measured.verdict === 'as-released' ? EXIT.ok : EXIT.no;
}
