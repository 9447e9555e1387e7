// What `sallyport ca` does about the keys that sign SSH certificates, and about such certificates.
import { writeWhole } from '#gateway/state/private-files';
import type { AdminReply } from '../../admin-client.ts';
import { durationOf } from './life.ts';
import { UsageError } from './usage.ts';

/** What was typed, as far as it matters here. */
export interface SshValues {
  readonly out?: string | undefined;
  readonly serial?: string | undefined;
  readonly reason?: string | undefined;
  readonly after: string;
  readonly compromised: boolean;
  readonly gateway?: string | undefined;
  readonly json: boolean;
}

type Ask = (method: string, path: string, body?: unknown) => Promise<AdminReply>;
type Work = (values: SshValues, ask: Ask) => Promise<string>;

interface Rotated {
  readonly gateway: string;
  readonly signsFrom: number;
  /** Workers that were not there. */
  readonly away?: readonly number[];
}

/** By the names of subcommands; each answers what to print. Rejects with AdminError and UsageError. */
export const SSH_WORK: Readonly<Record<string, Work>> = {
  'ssh-public-key': async ({ out, json }, ask) => {
    const { body } = await ask('GET', '/v1/ssh-authority');
    if (json) return `${JSON.stringify(body)}\n`;
    const lines = String(body['authorities']);
    if (out === undefined) return lines;
    writeWhole(out, lines, 0o644);
    return '';
  },
  'ssh-rotate': async ({ after, compromised, gateway }, ask) => {
    const lead = after === '0' ? 0 : durationOf(after);
    if (lead === undefined)
      throw new UsageError(`--after ${JSON.stringify(after)} is not a duration; use 0, 15m, up to 24h`);
    const wish = compromised ? { compromised: true } : { lead };
    const whose = gateway === undefined ? {} : { gateway };
    const { body } = await ask('POST', '/v1/ssh-authority/rotate', { ...wish, ...whose });
    const { gateway: of, signsFrom, away = [] } = body as unknown as Rotated;
    const signs = `the next key signs from ${new Date(signsFrom).toISOString()} at ${of}; sshd must trust it by then\n`;
    if (gateway !== undefined)
      return `${signs}${of} goes by that within seconds, or when it is there again\n`;
    const late = away.map((one) => `worker ${one} is not there, and goes by that when it is started again\n`);
    return signs + late.join('');
  },
  'ssh-krl': async ({ out }, ask) => {
    if (out === undefined) throw new UsageError('--out is missing');
    const { body } = await ask('GET', '/v1/ssh-authority/krl');
    writeWhole(out, Buffer.from(String(body['krl']), 'base64'), 0o644);
    return '';
  },
  'ssh-revoke': async ({ serial, reason }, ask) => {
    if (serial === undefined) throw new UsageError('--serial is missing');
    const wish = { serial, ...(reason === undefined ? {} : { reason }) };
    const { body } = await ask('POST', '/v1/ssh-revocations', wish);
    return `revoked: the SSH certificate ${serial} of ${String(body['holder'])}\n`;
  },
};
