// `sallyport device status`: what this machine is enrolled as, and whether its TPM still has the keys.
import { signWithSessionKey, thumbprintOf } from '#connectors/device/attester';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { explain, ownToken, thisMachine } from './machine.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device status', argv, { json: { type: 'boolean', default: false } });
  if (parsed === undefined) return EXIT.usage;
  try {
    const { device } = thisMachine();
    const { name, portal, tpm, keys } = device;
    // A signature that nobody sees: it shows that the TPM is there and knows its keys.
    await signWithSessionKey(tpm, keys, Buffer.from('sallyport device status'));
    const key = thumbprintOf(keys.session.public);
    const signedIn = ownToken(portal) !== undefined;
    const { endorsement } = keys;
    const status = { device: device.device, name, portal, tpm, endorsement, key, signedIn };
    process.stdout.write(
      parsed.values.json
        ? `${JSON.stringify(status)}\n`
        : `device     ${name} (${device.device})\nportal     ${portal}, ${signedIn ? 'signed in' : 'nobody signed in'}\n` +
            `TPM        ${tpm}, ${endorsement} endorsement key, answers\nkey        ${key}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    return explain('status', error);
  }
}
