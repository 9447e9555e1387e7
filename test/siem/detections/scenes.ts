// For each detection: what must set it off, and what looks alike and must not. All of it from the mapper's own events.
import { access, from, like, times } from './acts.ts';
import { ownScenes } from './own-scenes.ts';
import type { Scenes } from './scene.ts';

/** For tests of rules about privileged apps. */
export const PRIVILEGED: readonly string[] = ['vault.prod', 'grafana.prod'];

const HOUR = 3600;
const DAY = 24 * HOUR;

export const scenes: Readonly<Record<string, Scenes>> = {
  ...ownScenes,
  'impossible-travel': {
    fires: [
      {
        says: 'Germany, and Brazil 40 minutes later',
        steps: [
          { after: 0, event: like('login-succeeded') },
          { after: 2400, event: access('allow', { country: 'BR' }) },
        ],
      },
    ],
    quiet: [
      {
        says: 'two hours between them',
        steps: [
          { after: 0, event: access('allow') },
          { after: 2 * HOUR, event: access('allow', { country: 'BR' }) },
        ],
      },
      {
        says: 'a service elsewhere that asks in the person’s name',
        steps: [
          { after: 0, event: access('allow') },
          { after: 60, event: access('allow', { country: 'BR', service: 'acting' }) },
        ],
      },
      {
        says: 'a service that runs in two countries',
        steps: [
          { after: 0, event: access('allow', { service: 'itself' }) },
          { after: 60, event: access('allow', { country: 'BR', service: 'itself' }) },
        ],
      },
      {
        says: 'two people',
        steps: [
          { after: 0, event: access('allow') },
          { after: 60, event: access('allow', { country: 'BR', person: 'https://idp.example#2' }) },
        ],
      },
      {
        says: 'the other country was denied, or is none',
        steps: [
          { after: 0, event: access('allow') },
          { after: 60, event: access('deny', { country: 'BR' }) },
          { after: 90, event: access('allow', { country: 'private' }) },
        ],
      },
    ],
  },
  'deny-burst-then-allow': {
    fires: [
      {
        says: 'ten denials, then in',
        steps: [...times(10, 20, access('deny')), { after: 300, event: access('allow') }],
      },
    ],
    quiet: [
      {
        says: 'nine denials',
        steps: [...times(9, 20, access('deny')), { after: 300, event: access('allow') }],
      },
      ...(['error', 'rate-limited'] as const).map((reason) => ({
        says: `ten that were not decided about the person: ${reason}`,
        steps: [...times(10, 20, access('deny', { reason })), { after: 300, event: access('allow') }],
      })),
      {
        says: 'allowed first',
        steps: [{ after: -10, event: access('allow') }, ...times(10, 20, access('deny'))],
      },
      {
        says: 'another app',
        steps: [...times(10, 20, access('deny')), { after: 300, event: access('allow', { app: 'wiki' }) }],
      },
      {
        says: 'an hour later',
        steps: [...times(10, 20, access('deny')), { after: HOUR, event: access('allow') }],
      },
    ],
  },
  'new-device': {
    fires: [
      {
        says: 'another device the next day',
        steps: [
          { after: 0, event: access('allow') },
          { after: DAY, event: access('allow', { device: 'laptop-99' }) },
        ],
      },
    ],
    quiet: [
      { says: 'the same device', steps: times(3, DAY, access('allow')) },
      {
        says: 'an app that is not privileged',
        steps: [
          { after: 0, event: access('allow') },
          { after: DAY, event: access('allow', { device: 'laptop-99', app: 'wiki' }) },
        ],
      },
    ],
  },
  'new-country': {
    fires: [
      {
        says: 'another country the next week',
        steps: [
          { after: 0, event: access('allow') },
          { after: 7 * DAY, event: access('allow', { country: 'BR' }) },
        ],
      },
    ],
    quiet: [
      { says: 'the same country', steps: times(3, DAY, access('allow')) },
      ...(['acting', 'itself'] as const).map((service) => ({
        says: `another country of a service: ${service}`,
        steps: [
          { after: 0, event: access('allow', service === 'acting' ? {} : { service }) },
          { after: DAY, event: access('allow', { country: 'BR', service }) },
        ],
      })),
      {
        says: 'denied there',
        steps: [
          { after: 0, event: access('allow') },
          { after: DAY, event: access('deny', { country: 'BR' }) },
        ],
      },
    ],
  },
  'decisions-failing': {
    fires: [
      { says: 'ten that got 503', steps: times(10, 20, access('deny', { reason: 'error' })) },
      {
        says: 'ten of whom it could not be found out who they are',
        steps: times(10, 20, like('request-refused', { code: 'not-decided', status: 503 })),
      },
    ],
    quiet: [
      { says: 'nine', steps: times(9, 20, access('deny', { reason: 'error' })) },
      { says: 'ten that policy denied', steps: times(10, 20, access('deny')) },
      { says: 'ten in an hour', steps: times(10, 360, access('deny', { reason: 'error' })) },
    ],
  },
  'revocation-slow': {
    fires: [
      { says: '2.5 s', steps: [{ after: 0, event: like('session-revoked', { enforceMs: 2_500 }) }] },
      { says: 'one stream', steps: [{ after: 0, event: like('stream-closed', { enforceMs: 2_001 }) }] },
    ],
    quiet: [
      {
        says: 'a long stream that nobody ended',
        steps: [{ after: 0, event: like('stream-closed', { enforceMs: undefined, durationMs: 60_000 }) }],
      },
      { says: '2 s', steps: [{ after: 0, event: like('session-revoked', { enforceMs: 2_000 }) }] },
      {
        says: 'nothing was open',
        steps: [{ after: 0, event: like('session-revoked', { enforceMs: undefined }) }],
      },
    ],
  },
  'session-used-after-end': {
    fires: [
      {
        says: 'revoked, and used a minute later',
        steps: [
          { after: 0, event: like('session-revoked') },
          { after: 60, event: access('allow') },
        ],
      },
      {
        says: 'signed out, and used',
        steps: [
          { after: 0, event: like('logout') },
          { after: 5, event: access('allow') },
        ],
      },
      {
        says: 'ended because it was revoked, and used',
        steps: [
          { after: 0, event: like('session-ended', { cause: 'revoked' }) },
          { after: 5, event: access('allow') },
        ],
      },
    ],
    quiet: [
      {
        says: 'used before, denied after',
        steps: [
          { after: 0, event: access('allow') },
          { after: 5, event: like('session-revoked') },
          { after: 6, event: access('deny') },
        ],
      },
      {
        says: 'another session',
        steps: [
          { after: 0, event: like('session-revoked', { session: '019cb830-4000-7a00-8000-0000000000ff' }) },
          { after: 5, event: access('allow') },
        ],
      },
    ],
  },
  'login-failure-burst': {
    fires: [{ says: 'ten from one address', steps: times(10, 20, like('login-failed')) }],
    quiet: [
      { says: 'nine', steps: times(9, 20, like('login-failed')) },
      {
        says: 'ten addresses',
        steps: times(10, 20, (index) => like('login-failed', from(`203.0.113.${index}`))),
      },
      { says: 'ten that worked', steps: times(10, 20, like('login-succeeded')) },
    ],
  },
  'request-refused-burst': {
    fires: [
      { says: 'twenty from one address', steps: times(20, 10, like('request-refused')) },
      {
        says: 'twenty forged tokens',
        steps: times(20, 10, like('request-refused', { code: 'token-signature', status: 401 })),
      },
    ],
    quiet: [
      {
        says: 'a page that polls after its session ended',
        steps: times(30, 5, like('request-refused', { code: 'not-signed-in', status: 401 })),
      },
      {
        says: 'a service that goes on after its token ended',
        steps: times(30, 5, like('request-refused', { code: 'token-time', status: 401 })),
      },
      ...['not-decided', 'token-review-unavailable'].map((code) => ({
        says: `people and services of whom it cannot be found out who they are: ${code}`,
        steps: times(30, 5, like('request-refused', { code, status: 503 })),
      })),
      { says: 'nineteen', steps: times(19, 10, like('request-refused')) },
      { says: 'twenty in an hour', steps: times(20, 180, like('request-refused')) },
    ],
  },
  'refusals-summed': {
    fires: [{ says: 'one sum', steps: [{ after: 0, event: like('refusals-summed') }] }],
    quiet: [{ says: 'refusals one by one', steps: times(19, 10, like('request-refused')) }],
  },
  'enrolment-token-reuse': {
    fires: [
      {
        says: 'used twice',
        steps: [{ after: 0, event: like('connector-enrolment-refused', { code: 'token-used' }) }],
      },
    ],
    quiet: [{ says: 'expired', steps: [{ after: 0, event: like('connector-enrolment-refused') }] }],
  },
};
