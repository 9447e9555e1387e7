// A service in a Kubernetes cluster, by its token: the keys of the cluster find it good to its end, but the cluster
// itself is asked too, by a connector in it. What goes with the pod is its access, also where something is open.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { fetch } from 'undici';
import WebSocket from 'ws';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { CLUSTER_ISSUER, KubernetesApi } from '#test/connectors/cluster/kubernetes-api';
import { requires } from '#test/requires';
import { NEEDS, StoryInstallation } from '../installation.ts';
import { until } from '../part.ts';
import { freePorts } from '../ports.ts';
import { stepsOf } from '../steps.ts';

const CART = 'k8s:shop/cart';

const RULES = `version: 1
zone: UTC
apps: [wiki, vault, ledger, drop, mirror, spare]
rules:
  - { id: cart-wiki, allow: wiki, who: "service:${CART}", methods: [GET] }
  - { id: cart-drop, allow: drop, who: "service:${CART}" }
`;

interface Asked {
  readonly status: number;
  readonly code: string | undefined;
}

test('the token of a pod is good while its cluster says so', { skip: requires(...NEEDS) }, async (t) => {
  const step = stepsOf(t);
  const api = await KubernetesApi.start(t as never);
  const [port = 0] = await freePorts(1);
  const { url, ca, token: file } = api.config;
  const installation = await StoryInstallation.start(t, {
    further: `services:
  listen: 127.0.0.1:${port}
  issuers:
    - name: k8s
      issuer: ${CLUSTER_ISSUER}
      audiences: [sallyport]
      keys: ./cluster.json
      subject: "{/kubernetes.io/namespace}/{/kubernetes.io/serviceaccount/name}"
      review: { cluster: prod, connectors: [rack-1], keep: 1s }
`,
    prepare: (directory) => {
      writeFileSync(join(directory, 'cluster.json'), JSON.stringify(api.keys));
      writeFileSync(join(directory, 'policy.yaml'), RULES);
      const cluster = `clusters:\n  prod: { url: "${url}", ca: "${ca}", token: "${file}" }\n`;
      appendFileSync(join(directory, 'connector.yaml'), cluster);
    },
  });
  const dispatcher = installation.dispatcher(installation.ca);

  async function ask(token: string): Promise<Asked> {
    const headers = { Authorization: `Bearer ${token}` };
    const reply = await fetch(`https://wiki.localhost:${port}/`, { dispatcher, headers });
    return { status: reply.status, code: /"code":"([a-z-]+)"/.exec(await reply.text())?.[1] };
  }
  const lastCode = (): string | undefined => installation.events().at(-1)?.event.code;
  /** What the gateway would know without asking the cluster. */
  const keysSay = async (token: string): Promise<string | undefined> =>
    (await jwtVerify(token, createLocalJWKSet(api.keys), { issuer: CLUSTER_ISSUER })).payload.sub;

  await step('a pod that runs gets through, and its cluster was asked once for many requests', async () => {
    api.startPod('cart-1');
    const token = await api.token('cart-1');
    const before = api.asked;
    const all = await Promise.all(Array.from({ length: 20 }, () => ask(token)));
    assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([200]));
    assert.equal(api.asked - before, 1);
    const allowed = installation.events().findLast(({ event }) => event.action === 'access-allowed');
    assert.equal(allowed?.user?.id, CART);
  });

  await step('a token that the keys do not vouch for is not even asked about', async () => {
    const before = api.asked;
    const token = await api.token('cart-1');
    const forged = `${token.slice(0, -20)}${'A'.repeat(20)}`;
    assert.deepEqual(await ask(forged), { status: 401, code: 'token-signature' });
    assert.equal(api.asked, before);
  });

  await step('pod gone: the keys still say yes, the cluster says no, and the request is denied', async () => {
    api.startPod('cart-2');
    const [used, fresh] = [await api.token('cart-2'), await api.token('cart-2')];
    assert.equal((await ask(used)).status, 200);
    api.deletePod('cart-2');
    assert.equal(await keysSay(fresh), 'system:serviceaccount:shop:cart');
    assert.deepEqual(await ask(fresh), { status: 401, code: 'token-review-refused' });
    assert.equal(lastCode(), 'token-review-refused');
    await until(
      'what was accepted is refused',
      async () => (await ask(used)).code === 'token-review-refused',
    );
  });

  await step('and what it had open is closed', async () => {
    api.startPod('cart-3');
    const headers = { Authorization: `Bearer ${await api.token('cart-3')}` };
    const tls = { ca: installation.ca, lookup: localhostAwareLookup, headers };
    const ws = new WebSocket(`wss://drop.localhost:${port}/echo`, tls);
    await once(ws, 'open');
    const closed = once(ws, 'close');
    api.deletePod('cart-3');
    await closed;
    const ended = await until('recorded', () =>
      installation.events().findLast(({ event }) => event.action === 'stream-closed'),
    );
    assert.equal(ended.sallyport?.app?.id, 'drop');
  });

  await step(
    'a cluster that cannot be asked lets nobody in, and says so with a code of its own',
    async () => {
      api.startPod('cart-4');
      const token = await api.token('cart-4');
      api.answer = (_request, response) => void response.writeHead(500).end();
      assert.deepEqual(await ask(token), { status: 503, code: 'token-review-unavailable' });
      const refused = installation.events().at(-1);
      assert.deepEqual(
        [refused?.event.action, refused?.event.code],
        ['request-refused', 'token-review-unavailable'],
      );
      api.answer = undefined;
      assert.equal((await ask(token)).status, 200);
    },
  );

  await step('nor does one whose connectors are gone', async () => {
    await installation.connector.kill();
    const token = await api.token('cart-4');
    assert.deepEqual(await ask(token), { status: 503, code: 'token-review-unavailable' });
    installation.startConnector();
    await until('it is asked again', async () => (await ask(token)).status === 200);
  });
});
