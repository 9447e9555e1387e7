// How tokens in a person's name read in ECS: the service is the user who acts, the person the one it acts for.
import type { ActingOf } from '../parties.ts';
import type { TokenExchanged, TokenExchangeRefused } from '../session-event.ts';
import type { Fields } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import { clip, ipOf, peerFields, relatedUsers, subjectFields, subjectName } from './parts.ts';

/** `sallyport.acting` of a decision. */
export function actingFields(acting: ActingOf | undefined): Fields | undefined {
  if (acting === undefined) return undefined;
  const { chain, person, transaction } = acting;
  return { chain, person: { id: person.id }, transaction: { id: clip(transaction, 255) } };
}

function tokenExchanged(event: TokenExchanged): Mapping {
  const { service, person, app, client, scope, expiresIn } = event;
  return {
    action: 'token-exchanged',
    category: ['authentication', 'session'],
    type: ['start'],
    outcome: 'success',
    message: clip(`${service.id} may ask ${app} in the name of ${subjectName(person)} for ${expiresIn} s`),
    fields: { ...peerFields(client), ...subjectFields(service), trace: { id: event.traceId } },
    own: {
      app: { id: app },
      session: { id: event.session },
      acting: { person: { id: person.id }, scope },
    },
    related: { ip: [ipOf(client.address)], user: [...relatedUsers(service), ...relatedUsers(person)] },
  };
}

function tokenExchangeRefused({ code, reason, client, traceId }: TokenExchangeRefused): Mapping {
  return {
    action: 'token-exchange-refused',
    category: ['authentication'],
    type: ['start'],
    outcome: 'failure',
    code: reason,
    reason: `${code}: ${reason}`,
    message: clip(`A service was refused a token in a person’s name: ${reason}`),
    fields: { ...peerFields(client), trace: { id: traceId } },
    own: {},
    related: { ip: [ipOf(client.address)] },
  };
}

export const exchangeEntries: Entries<'token-exchanged' | 'token-exchange-refused'> = {
  'token-exchanged': {
    about: 'A service got a token to ask an app in the name of the person it was asked by (RFC 8693).',
    dataset: 'sallyport.auth',
    map: tokenExchanged,
  },
  'token-exchange-refused': {
    about: 'A service was refused such a token, with what was wrong.',
    dataset: 'sallyport.auth',
    map: tokenExchangeRefused,
  },
};
