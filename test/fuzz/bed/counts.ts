// How many inputs each corpus tries: on every change, and in a night.

export interface Counts {
  readonly change: number;
  readonly night: number;
}

export const COUNTS: Readonly<Record<string, Counts>> = {
  http: { change: 50_000, night: 1_000_000 },
  paths: { change: 100_000, night: 5_000_000 },
  frames: { change: 50_000, night: 1_000_000 },
  tokens: { change: 20_000, night: 500_000 },
  certificates: { change: 20_000, night: 500_000 },
  ssh: { change: 20_000, night: 500_000 },
  attest: { change: 20_000, night: 500_000 },
  'key-proofs': { change: 5_000, night: 200_000 },
  documents: { change: 10_000, night: 200_000 },
  admin: { change: 10_000, night: 200_000 },
};
