// What devices themselves call: to enrol, and to prove their state. Strangers may call it; nothing here is believed
// that the verifier has not checked.
import { type Context, Hono } from 'hono';
import { EvidenceError, encodeEvidence } from '#connectors/wire/evidence';
import {
  decodeActivateRequest,
  decodeAttestation,
  decodeChallengeRequest,
  decodeEnrolRequest,
} from '#connectors/wire/evidence-decoder';
import type { Appraisal } from '#gateway/attest/appraisal';
import type { DeviceDesk } from '#gateway/attest/desk';
import { AttestationRefusal } from '#gateway/attest/refusal';
import { networkOf } from '#gateway/edge/address';
import { ProofError } from '#gateway/identity/dpop';
import type { Sessions } from '#gateway/identity/sessions';
import { CLI_DOOR, type Terminal, type Terminals } from '#gateway/identity/terminal';
import type { Store } from '#gateway/state/store';
import type { PortalRequest } from './portal.ts';

export interface DeviceParts {
  readonly origin: string;
  readonly desk: DeviceDesk;
  readonly terminals: Terminals;
  readonly sessions: Sessions;
  readonly store: Store;
}

type Env = { Bindings: PortalRequest };
const PORT = /^[1-9][0-9]{2,4}$/;

/** Mounted at `/device` of the portal. */
export function devicesApp(parts: DeviceParts): Hono<Env> {
  const { origin, desk, terminals, sessions, store } = parts;
  const app = new Hono<Env>();

  app.onError((error, c) => {
    if (error instanceof EvidenceError) return c.json({ error: error.code, message: error.message }, 400);
    if (error instanceof ProofError) {
      c.header('WWW-Authenticate', 'DPoP error="invalid_dpop_proof"');
      return c.json({ error: error.code, message: error.message }, 401);
    }
    if (!(error instanceof AttestationRefusal)) throw error;
    const { code, message, remedy } = error;
    return c.json({ error: code, message, remedy }, 403);
  });

  app.post('/enrol', async (c) => {
    const request = decodeEnrolRequest(await json(c));
    const { enrolment, credentialBlob, encryptedSecret } = await desk.enrol(request, c.env.client);
    return c.body(encodeEvidence({ enrolment, credentialBlob, encryptedSecret }), 201, JSON_TYPE);
  });

  app.post('/activate', async (c) => {
    const { device, name, state } = await desk.activate(decodeActivateRequest(await json(c)), c.env.client);
    return c.json({ device, name, state }, 201);
  });

  app.post('/challenge', async (c) => {
    const { device } = decodeChallengeRequest(await json(c));
    const { nonce } = await desk.challenge(device, c.env.client);
    return c.body(encodeEvidence({ nonce }), 201, JSON_TYPE);
  });

  app.post('/attest', async (c) => {
    const { client, exporter } = c.env;
    const evidence = decodeAttestation(await json(c));
    const terminal = await terminalOf(c, evidence.device);
    const channel = exporter();
    if (channel === undefined) {
      const message = 'Attestation needs TLS 1.3 on the way to the gateway itself.';
      return c.json({ error: 'no-exporter', message }, 400);
    }
    const session = terminal?.session;
    const appraisal = await desk.attest({ evidence, exporter: channel, client, session });
    const bound = terminal === undefined ? undefined : await bind(c, terminal, appraisal);
    const { status, expiresAt, reasons } = appraisal;
    return c.json({ status, expiresAt, reasons, ...(bound === undefined ? {} : { bound }) });
  });
  return app;

  /** The command line that attests, if one is signed in. */
  async function terminalOf(c: Context<Env>, device: string): Promise<Terminal | undefined> {
    try {
      return await terminals.find({
        authorization: c.req.header('authorization'),
        proof: c.req.header('dpop'),
        method: 'POST',
        url: origin + c.req.path,
      });
    } catch (error) {
      if (error instanceof ProofError)
        await desk.refused('terminal', error.code, { device, client: c.env.client });
      throw error;
    }
  }

  /** Ties the command line's sign-in to the device it attested. True unless the device is somebody else's. */
  async function bind(c: Context<Env>, { session, token }: Terminal, appraisal: Appraisal): Promise<boolean> {
    const { device, keyThumbprint: key, boot, expiresAt } = appraisal;
    if (!appraisal.authentic || key === undefined) return false;
    const { client } = c.env;
    // A sign-in stays with the device it met first.
    if (session.bond !== undefined && session.bond.device !== device) {
      await desk.refused('terminal', 'other-device', { device, session, client });
      return false;
    }
    const owner = (await desk.find(device))?.owner;
    if (owner !== undefined && owner !== session.subject.id && owner !== session.subject.email) {
      await desk.refused('terminal', 'other-person', { device, session, client });
      return false;
    }
    if (session.bond === undefined) {
      const bond = { device, key, until: session.expiresAt, ...(boot === undefined ? {} : { boot }) };
      await desk.bound('terminal', { ...session, bond }, client);
      if (!(await sessions.doors.bind(token, CLI_DOOR, session, bond))) {
        // The record says that this device was bound: another one that has the same token came first. Unless it was signed out.
        if ((await sessions.find(token, CLI_DOOR)) !== undefined)
          await desk.refused('terminal', 'other-device', { device, session, client });
        return false;
      }
    }
    // Attesting once by hand does not take the agent away.
    const before = await store.get('deviceAgent', device);
    const known = before?.subject === session.subject.id ? before.port : undefined;
    const asked = c.req.query('agent');
    const port = asked !== undefined && PORT.test(asked) ? Number(asked) : known;
    await store.put(
      'deviceAgent',
      device,
      {
        subject: session.subject.id,
        network: networkOf(client.address),
        ...(port === undefined ? {} : { port }),
      },
      expiresAt,
    );
    return true;
  }
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

async function json(c: Context<Env>): Promise<unknown> {
  return c.req.json().catch(() => undefined);
}
