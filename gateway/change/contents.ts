// Whether what a change would put in force can be put in force: its policy, its configuration, its list of signers.
import { type GatewayConfig, gatewaySchema } from '#gateway/config';
import { formatProblems, readDocument } from '#policy/document';
import { loadPolicyOffThread } from '#policy/loader/off-thread';
import { readAllowedSigners, SignersError } from './allowed-signers.ts';
import type { Bundle } from './bundle.ts';
import { ChangeRefusal } from './reasons.ts';

/** Throws ChangeRefusal for the first file that does not load, with all that is wrong with it. */
export async function checkContents({ contents }: Bundle): Promise<void> {
  for (const [name, text] of Object.entries(contents)) {
    if (!name.startsWith('configuration/')) continue;
    const { changes, admin } = readConfiguration(text, name);
    // Who may not change anything any more would find out too late.
    if (changes !== undefined) checkSigners(contents['signers'] ?? '', changes.threshold);
    if (admin !== undefined) checkSigners(contents['admins'] ?? '', 1);
  }
  const loading = await loadPolicyOffThread(contents['policy'] ?? '', 'policy');
  if (!loading.ok) throw new ChangeRefusal('policy-invalid', formatProblems(loading.problems));
}

function readConfiguration(text: string, name: string): GatewayConfig {
  const reading = readDocument(gatewaySchema, text, name);
  if (reading.ok) return reading.value;
  throw new ChangeRefusal('configuration-invalid', formatProblems(reading.problems));
}

function checkSigners(text: string, threshold: number): void {
  try {
    const people = new Set(readAllowedSigners(text).map(({ principal }) => principal));
    if (people.size >= threshold) return;
    throw new ChangeRefusal('signers-invalid', `${threshold} people must sign, and it lists ${people.size}`);
  } catch (error) {
    if (error instanceof SignersError) throw new ChangeRefusal('signers-invalid', error.message);
    throw error;
  }
}
