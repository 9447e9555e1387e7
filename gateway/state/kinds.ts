// Every kind of record there is, in the order in which they are copied: what takes access away comes before what gives
// it, so that a copy that breaks off lets nobody in who was shut out.
import type { Kind } from './store.ts';

/** Whether it outlives the processes that made it. */
const OUTLIVES: Readonly<Record<Kind, boolean>> = {
  copying: false,
  presence: false,
  revocation: true,
  revokedCertificate: true,
  sshCertificate: true,
  sshSchedule: true,
  deviceRevocation: true,
  spentToken: true,
  usedProof: true,
  adminRequest: true,
  session: true,
  door: true,
  login: true,
  handoff: true,
  cliCode: true,
  enrolment: true,
  connector: true,
  deviceGrant: true,
  attestationChallenge: true,
  device: true,
  deviceName: true,
  devicePosture: true,
  connectorBond: true,
  baseline: true,
  person: true,
  providerSession: true,
  sharedKey: true,
  sshKeys: true,
  keyRing: true,
  browserAsk: true,
  deviceAgent: true,
};

export const KINDS: readonly Kind[] = Object.keys(OUTLIVES) as Kind[];
/** What a back-up holds. */
export const LASTING: readonly Kind[] = KINDS.filter((kind) => OUTLIVES[kind]);
