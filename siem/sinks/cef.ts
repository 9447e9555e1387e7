// ArcSight's Common Event Format, for collectors that know no JSON. Its separators in our text must not become its own.
import { harmless } from '../ecs/document.ts';

type Nested = { readonly [name: string]: Nested | undefined } & string;

/** Header fields: `\` and `|` are escaped, and a line stays one. */
function header(text: unknown): string {
  return harmless(String(text ?? ''), ' ').replace(/[\\|]/g, '\\$&');
}

function extension(text: unknown): string {
  return harmless(String(text), ' ').replace(/[\\=]/g, '\\$&');
}

/** 0 to 10, from what the event is. */
function severity(event: Nested | undefined): number {
  const alert = Number(event?.['severity'] ?? 0);
  if (alert >= 99) return 10;
  if (alert >= 73) return 8;
  if (alert >= 47) return 6;
  if (alert >= 21) return 4;
  return event?.['outcome'] === 'failure' ? 5 : 3;
}

/** One event as a CEF line. */
export function cefOf(document: Readonly<Record<string, unknown>>): string {
  const of = document as unknown as Nested;
  const { event, observer, sallyport: own } = of;
  const head = ['CEF:0', 'Sallyport', 'Sallyport', observer?.['version'], event?.['action'], of['message']]
    .map((part, index) => (index === 0 ? part : header(part)))
    .join('|');
  const pairs: (readonly [string, unknown])[] = [
    ['rt', Date.parse(of['@timestamp'] ?? '')],
    ['externalId', event?.['id']],
    ['cn1', event?.['sequence']],
    ['cn1Label', 'sequence'],
    ['dvchost', observer?.['hostname']],
    ['cat', event?.['dataset']],
    ['outcome', event?.['outcome']],
    ['reason', event?.['code']],
    ['src', of['client']?.['ip']],
    ['spt', of['client']?.['port']],
    ['suser', of['user']?.['email'] ?? of['user']?.['name']],
    ['suid', of['user']?.['id']],
    ['dhost', of['url']?.['domain']],
    ['request', of['url']?.['path']],
    ['requestMethod', of['http']?.['request']?.['method']],
    ['requestClientApplication', of['user_agent']?.['original']],
    ['act', own?.['decision']?.['verdict']],
    ['cs1', own?.['decision']?.['policy_hash']],
    ['cs1Label', 'policyHash'],
    ['cs2', of['rule']?.['id']],
    ['cs2Label', 'rule'],
    ['cs3', own?.['app']?.['id']],
    ['cs3Label', 'app'],
    ['cs4', own?.['gateway']?.['id']],
    ['cs4Label', 'gateway'],
  ];
  const known = new Map(pairs.filter(([, value]) => value !== undefined && value !== null));
  const text = [...known]
    .filter(([key]) => !key.endsWith('Label') || known.has(key.slice(0, -'Label'.length)))
    .map(([key, value]) => `${key}=${extension(value)}`)
    .join(' ');
  return `${head}|${severity(event)}|${text}`;
}
