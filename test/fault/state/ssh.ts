// SSH certificates of a fleet as hosts and people see them: which keys are published, and which one signs at whom.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { Visitor } from '#bin/demo/visitor';
import { SSH_CERTIFICATE_PATH } from '#connectors/wire/terminal';
import { sshString } from '#gateway/change/ssh-reader';
import { readSshCertificate } from '#gateway/pki/ssh/certificate';
import type { Fleet } from './fleet.ts';
import type { FleetGateway } from './fleet-gateway.ts';

/** For `prepare` of a fleet: an app that is sshd, which everybody of the staff may reach. */
export function withShell(directory: string): void {
  const edit = (name: string, was: string, is: string): void => {
    const text = readFileSync(join(directory, name), 'utf8');
    writeFileSync(join(directory, name), text.replace(was, is));
  };
  const app =
    '{ id: shell, name: Shell, protocol: tcp, connectors: [rack-1], ssh: { principals: [deploy] } }';
  edit('gateway.yaml', 'apps:\n', `apps:\n  - ${app}\n`);
  edit('policy.yaml', 'apps: [wiki]', 'apps: [wiki, shell]');
  edit('policy.yaml', 'allow: wiki', 'allow: [wiki, shell]');
}

/** Files of keys in a state directory, with the time from which each signs. */
export function keyFiles(state: string): string[] {
  return globSync('ssh-ca/user-*.key', { cwd: state }).sort();
}

export class Terminal {
  readonly #fleet: Fleet;
  readonly #token: string;
  readonly #key: string;

  private constructor(fleet: Fleet, token: string) {
    this.#fleet = fleet;
    this.#token = token;
    const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    const blob = Buffer.concat(['ssh-ed25519', Buffer.from(x, 'base64url')].map(sshString));
    this.#key = `ssh-ed25519 ${blob.toString('base64')}`;
  }

  /** A terminal that a person who comes to the first gateway approved. */
  static async open(fleet: Fleet): Promise<Terminal> {
    const portal = `https://access.localhost:${fleet.people}`;
    const visitor: Visitor = fleet.visitor();
    assert.equal((await visitor.signIn(`${portal}/`, 'ada', 'password')).status, 200);
    const [verifier, state] = [randomBytes(32), randomBytes(32)].map((one) => one.toString('base64url'));
    const challenge = createHash('sha256')
      .update(verifier ?? '')
      .digest('base64url');
    const fields = new URLSearchParams({ port: '4000', challenge, state: state ?? '' });
    const headers = { origin: portal, 'content-type': 'application/x-www-form-urlencoded' };
    const approved = await visitor.ask(`${portal}/cli`, { method: 'POST', headers, body: String(fields) });
    assert.equal(approved.status, 302, approved.body);
    const code = new URL(String(approved.headers['location'])).searchParams.get('code');
    const redeemed = await visitor.ask(`${portal}/cli/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code, verifier }),
    });
    assert.equal(redeemed.status, 201, redeemed.body);
    return new Terminal(fleet, String(JSON.parse(redeemed.body).token));
  }

  /** Asks on a connection of its own; the key that signed, base64, or why there is no certificate. */
  async signedBy(gateway: FleetGateway): Promise<string> {
    const { status, text } = await this.#ask(gateway, 'POST', SSH_CERTIFICATE_PATH);
    if (status !== 201) return `${status} ${text}`;
    const [, blob = ''] = String(JSON.parse(text).certificate).split(' ');
    return readSshCertificate(Buffer.from(blob, 'base64')).authority.toString('base64');
  }

  /** What sshd would trust, fetched from a gateway: keys, base64, by the names beside them. */
  async published(gateway: FleetGateway): Promise<ReadonlyMap<string, readonly string[]>> {
    const { status, text } = await this.#ask(gateway, 'GET', '/ssh/authority.pub');
    assert.equal(status, 200, text);
    const lines = text.trim().split('\n');
    const pairs = lines.map((line) => line.split(' ')).map(([, blob = '', , name = '']) => ({ blob, name }));
    const byName = Map.groupBy(pairs, ({ name }) => name);
    return new Map([...byName].map(([name, ones]) => [name, ones.map(({ blob }) => blob)]));
  }

  async #ask(
    gateway: FleetGateway,
    method: 'GET' | 'POST',
    path: string,
  ): Promise<{ status: number; text: string }> {
    const agent = new Agent({ connect: { ca: this.#fleet.ca, lookup: gateway.lookup }, pipelining: 0 });
    try {
      const reply = await request(`https://access.localhost:${this.#fleet.people}${path}`, {
        ...{ dispatcher: agent, method, signal: AbortSignal.timeout(10_000) },
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        body: method === 'GET' ? null : JSON.stringify({ app: 'shell', key: this.#key }),
      });
      return { status: reply.statusCode, text: await reply.body.text() };
    } catch (error) {
      return { status: 0, text: String(error) };
    } finally {
      await agent.destroy();
    }
  }
}
