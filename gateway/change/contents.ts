// Whether what a change would put in force can be put in force: its policy, its configuration, its list of signers.
import { dirname } from 'node:path';
import { type GatewayConfig, gatewaySchema, resolvePaths } from '#gateway/config';
import { namedAdmins } from '#gateway/console/config';
import { ADMIN_NAMESPACE } from '#gateway/console/signed-request';
import { formatProblems, readDocument } from '#policy/document';
import { loadPolicyOffThread } from '#policy/loader/off-thread';
import { readAllowedSigners, type Signer, SignersError, signsFor } from './allowed-signers.ts';
import { type Bundle, CHANGE_NAMESPACE } from './bundle.ts';
import { type GovernedFile, governedFiles } from './governed.ts';
import { ChangeRefusal } from './reasons.ts';

/**
 * Throws ChangeRefusal for the first file that does not load, with all that is wrong with it. `own`: the configuration of
 * this gateway by its name in changes, and where it lies.
 */
export async function checkContents({ contents }: Bundle, own: GovernedFile, now: number): Promise<void> {
  for (const [name, text] of Object.entries(contents)) {
    if (!name.startsWith('configuration/')) continue;
    const config = readConfiguration(text, name);
    const { changes, admin } = config;
    // Who may not change anything any more would find out too late.
    if (changes !== undefined) {
      const may = able(CHANGE_NAMESPACE, listed(contents['signers']), now);
      if (may.size < changes.threshold)
        throw refused(`${changes.threshold} people must sign, and it lists ${may.size} who can`);
    }
    if (admin !== undefined) {
      const admins = listed(contents['admins']);
      if (able(ADMIN_NAMESPACE, admins, now).size === 0) throw refused('it lists no admin who can sign');
      const gone = namedAdmins(admin).find((one) => !admins.some(({ principal }) => principal === one));
      if (gone !== undefined) throw refused(`admins has no key of ${gone}, whom ${name} names`);
    }
    if (name === own.name) checkComplete(config, own.path, contents);
  }
  const loading = await loadPolicyOffThread(contents['policy'] ?? '', 'policy');
  if (!loading.ok) throw new ChangeRefusal('policy-invalid', formatProblems(loading.problems));
}

function readConfiguration(text: string, name: string): GatewayConfig {
  const reading = readDocument(gatewaySchema, text, name);
  if (reading.ok) return reading.value;
  throw new ChangeRefusal('configuration-invalid', formatProblems(reading.problems));
}

/** What the next start would miss. */
function checkComplete(config: GatewayConfig, file: string, contents: Bundle['contents']): void {
  const needed = governedFiles(resolvePaths(config, dirname(file)), file);
  const missing = needed.find(({ name }) => !Object.hasOwn(contents, name));
  if (missing !== undefined) throw new ChangeRefusal('incomplete', missing.name);
}

function listed(text = ''): readonly Signer[] {
  try {
    return readAllowedSigners(text);
  } catch (error) {
    if (error instanceof SignersError) throw refused(error.message);
    throw error;
  }
}

/** Names of those with a key that may sign for `namespace`, now or later. */
function able(namespace: string, signers: readonly Signer[], now: number): ReadonlySet<string> {
  const may = signers.filter((one) => signsFor(one, namespace) && (one.validBefore ?? now) >= now);
  return new Set(may.map(({ principal }) => principal));
}

function refused(detail: string): ChangeRefusal {
  return new ChangeRefusal('signers-invalid', detail);
}
