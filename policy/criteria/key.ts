// Where the key is that a service proved itself with, as our own authority found when it issued the certificate.
import type { KeyOrigin } from '../input.ts';
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';

export const key: Criterion<KeyOrigin> = {
  key: 'key',
  code: 'key-origin',
  truth: (want, { request: { subject } }) =>
    subject.key === undefined ? UNKNOWN : truthOf(subject.key === want),
  need: (want) => WORDS[want],
  have: (_want, { request: { subject } }) => (subject.key === undefined ? 'unknown' : WORDS[subject.key]),
  implies: (a, b) => a === b,
  disjoint: (a, b) => a !== b,
};

const WORDS: Readonly<Record<KeyOrigin, string>> = { tpm: 'a key in a TPM', file: 'a key in a file' };
