// How a browser is bound to its device, and everybody else who tries with what passes by: another browser, another
// person, another network, another device, and the same statement again.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import type { DeviceDesk } from '#gateway/attest/desk';
import { SESSION_COOKIE } from '#gateway/identity/cookies';
import type { LiveSession } from '#gateway/identity/live-session';
import { Sessions } from '#gateway/identity/sessions';
import { browserApp } from '#gateway/portal/browser';
import { openEmbeddedStore } from '#gateway/state/embedded';

const NOW = Date.UTC(2026, 5, 1);
const ORIGIN = 'https://access.example.com';
const HOST = 'access.example.com';
const ADDRESS = '192.0.2.1';
const directory = mkdtempSync(join(tmpdir(), 'sallyport-browser-'));
const store = openEmbeddedStore(join(directory, 'state'), () => NOW);
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const others = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const thumbprint = (key: KeyObject): string => {
  const { crv, kty, x, y } = key.export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
};

const sessions = new Sessions(
  store,
  { idle: 3_600_000, absolute: 36_000_000 },
  () => NOW,
  async () => undefined,
);
const refused: string[] = [];
let posture: { keyThumbprint: string; boot: string } | undefined;
const desk = {
  posture: async () => posture,
  find: async (device: string) => ({ device, name: 'laptop', state: 'approved' }),
  bound: async () => undefined,
  refused: async (_channel: string, code: string) => void refused.push(code),
} as unknown as DeviceDesk;
const app = browserApp({
  ...{ origin: ORIGIN, desk, sessions, store, now: () => NOW },
  life: 600_000,
  destinationOf: () => undefined,
  onwards: async () => `${ORIGIN}/`,
});

/** A person's browser with a session of its own. */
class Browser {
  readonly session: LiveSession;
  readonly cookie: string;

  constructor(session: LiveSession, cookie: string) {
    this.session = session;
    this.cookie = cookie;
  }

  static async of(person: string): Promise<Browser> {
    const subject = { kind: 'user', id: `idp#${person}`, groups: [], roles: [] } as const;
    const session = await sessions.start(subject, { provider: 'idp', at: NOW }, ADDRESS);
    return new Browser(session, (await sessions.openDoor(session, HOST)).value);
  }

  async get(path: string, address = ADDRESS): Promise<Response> {
    const session = await sessions.find(this.cookie, HOST);
    const bindings = { session, client: { address }, network: { address }, exporter: () => undefined };
    const headers = { cookie: `${SESSION_COOKIE}=${this.cookie}` };
    return app.fetch(new Request(ORIGIN + path, { headers }), bindings);
  }

  /** The challenge that the portal sends this browser to the agent with. */
  async challenge(): Promise<string> {
    const reply = await this.get('/browser');
    assert.equal(reply.status, 302, await reply.clone().text());
    const url = new URL(reply.headers.get('location') ?? '');
    assert.equal(url.origin + url.pathname, 'http://127.0.0.1:4711/bind');
    return url.searchParams.get('challenge') ?? '';
  }

  async bring(statement: string, address?: string): Promise<Response> {
    return this.get(`/bound?${new URLSearchParams({ proof: statement })}`, address);
  }
}

function statement(nonce: string, claims: object = {}, signer = keys, typ = 'sallyport-browser+jwt'): string {
  const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url');
  const jwk = signer.publicKey.export({ format: 'jwk' });
  const content = `${part({ typ, alg: 'ES256', jwk })}.${part({ aud: ORIGIN, nonce, iat: NOW / 1000, ...claims })}`;
  const signature = sign('sha256', Buffer.from(content), {
    key: signer.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `${content}.${signature.toString('base64url')}`;
}

describe('a browser', () => {
  let ada: Browser;

  beforeEach(async () => {
    refused.length = 0;
    posture = { keyThumbprint: thumbprint(keys.publicKey), boot: '4.0' };
    ada = await Browser.of('ada');
    await store.put('deviceAgent', 'laptop', { subject: 'idp#ada', network: ADDRESS, port: 4711 });
  });

  test('that brings its device’s statement is bound, by a new cookie alone', async () => {
    const reply = await ada.bring(statement(await ada.challenge()));
    assert.equal(reply.status, 302);
    const [, value = ''] = /^__Host-sallyport=([^;]+)/.exec(reply.headers.get('set-cookie') ?? '') ?? [];
    assert.equal((await sessions.find(ada.cookie, HOST))?.id, undefined, 'the old cookie opens nothing');
    assert.deepEqual((await sessions.find(value, HOST))?.bond, {
      ...{ device: 'laptop', key: posture?.keyThumbprint, boot: '4.0', network: ADDRESS },
      until: NOW + 600_000,
    });
    assert.deepEqual(refused, []);
  });

  test('of nobody is sent to sign in first, and comes back', async () => {
    const nobody = {
      session: undefined,
      client: { address: ADDRESS },
      network: { address: ADDRESS },
      exporter: () => undefined,
    };
    const reply = await app.fetch(new Request(`${ORIGIN}/browser?device=laptop`), nobody);
    const location = new URL(reply.headers.get('location') ?? '');
    assert.equal(location.pathname, '/sign-in');
    assert.match(location.searchParams.get('path') ?? '', /browser\?device=laptop/);
  });

  test('of somebody without an agent is told how to start one', async () => {
    const ben = await Browser.of('ben');
    const reply = await ben.get('/browser');
    assert.equal(reply.status, 403);
    assert.match(await reply.text(), /sallyport device agent/);
  });

  const cases: readonly (readonly [what: string, attempt: () => Promise<Response>, code: string])[] = [
    [
      'a statement for another person’s challenge, brought by a browser that was lured',
      async () => {
        const mallory = await Browser.of('ada');
        return ada.bring(statement(await mallory.challenge()));
      },
      'ask-unknown',
    ],
    [
      'a statement that somebody with a copy of the session elsewhere brings',
      async () => {
        const challenge = await ada.challenge();
        const copy = new Browser(ada.session, (await sessions.openDoor(ada.session, HOST)).value);
        return copy.bring(statement(challenge));
      },
      'ask-unknown',
    ],
    [
      'the same statement again',
      async () => {
        const one = statement(await ada.challenge());
        await ada.bring(one, '192.0.2.9');
        refused.length = 0;
        return ada.bring(one);
      },
      'ask-unknown',
    ],
    ['a challenge that was never made', async () => ada.bring(statement('x'.repeat(43))), 'ask-unknown'],
    ['a challenge that is none', async () => ada.bring(statement('x')), 'proof-invalid'],
    ['no statement', async () => ada.get('/bound'), 'proof-invalid'],
    [
      'a statement for another gateway',
      async () => ada.bring(statement(await ada.challenge(), { aud: 'https://x.example' })),
      'proof-invalid',
    ],
    [
      'an old statement',
      async () => ada.bring(statement(await ada.challenge(), { iat: NOW / 1000 - 100 })),
      'proof-late',
    ],
    [
      'a statement by another device',
      async () => ada.bring(statement(await ada.challenge(), {}, others)),
      'other-device',
    ],
    [
      'a DPoP proof in a statement’s place',
      async () => ada.bring(statement(await ada.challenge(), {}, keys, 'dpop+jwt')),
      'proof-invalid',
    ],
    [
      'a browser on another network than the agent',
      async () => ada.bring(statement(await ada.challenge()), '192.0.2.9'),
      'other-network',
    ],
    [
      'an agent that somebody else has taken over since',
      async () => {
        const challenge = await ada.challenge();
        await store.put('deviceAgent', 'laptop', { subject: 'idp#ben', network: ADDRESS, port: 4711 });
        return ada.bring(statement(challenge));
      },
      'other-person',
    ],
    [
      'a device that is silent or revoked',
      async () => {
        const challenge = await ada.challenge();
        posture = undefined;
        return ada.bring(statement(challenge));
      },
      'device-silent',
    ],
  ];
  for (const [what, attempt, code] of cases) {
    test(`is not bound by ${what}: ${code}`, async () => {
      const reply = await attempt();
      assert.equal(reply.status, 403);
      assert.equal(reply.headers.get('set-cookie'), null);
      assert.deepEqual(refused, [code]);
      assert.equal((await sessions.find(ada.cookie, HOST))?.bond, undefined);
    });
  }
});
