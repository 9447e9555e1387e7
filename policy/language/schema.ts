// The policy document: every key a person may write, and nothing else. What a key means is in criteria/; what a
// schema cannot say (names that must exist, rules that could never fire) is in check.ts.
import { z } from 'zod';
import { cveSchema, SEVERITIES } from '../criteria/cve.ts';
import { firmwareSchema } from '../criteria/firmware.ts';
import { windowSchema, zoneSchema } from '../criteria/hours.ts';
import { methodSchema } from '../criteria/methods.ts';
import { durationSchema } from '../criteria/mfa.ts';
import { cidrSchema } from '../criteria/network.ts';
import { pathSchema } from '../criteria/paths.ts';
import { riskSchema } from '../criteria/risk.ts';
import { instantSchema } from '../criteria/validity.ts';
import type { PolicyDocument, RequestDocument } from './document.ts';

const MAX_TEXT = 200;

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name is letters, digits, `.`, `_` and `-`, at most 64');
const text = z.string().min(1).max(MAX_TEXT);
const selector = z
  .string()
  .max(512)
  .regex(
    /^([A-Za-z0-9][A-Za-z0-9._-]*|[A-Za-z0-9][A-Za-z0-9._-]*:[^\s:][^\p{Cc}]*)$/u,
    'write a group, `everyone`, `user:…`, `service:…`, `role:…` or `<provider>:<group>`',
  );

function oneOrMore<T extends z.ZodType>(schema: T): z.ZodType<z.output<T> | z.output<T>[]> {
  return z.union([schema, z.array(schema).min(1)]);
}

const country = z
  .string()
  .regex(/^([A-Z]{2}|private)$/, 'a country is two capital letters like `DE`, or `private`');
const asn = z.int().min(1).max(4_294_967_295);
const feeds = z.union([z.enum(['none', 'any']), z.array(name).min(1)]);
const key = z.enum(['tpm', 'file']);
const ticket = z.enum(['open', 'none']);

const claims = {
  attested: z.boolean().optional(),
  secureBoot: z.boolean().optional(),
  baseline: z.boolean().optional(),
  sameBoot: z.boolean().optional(),
  hardwareKey: z.boolean().optional(),
  firmware: firmwareSchema.optional(),
};
const device = z.strictObject({ ...claims, quotedWithin: durationSchema.optional() });
const workload = z.strictObject({
  signedBy: oneOrMore(text).optional(),
  provenance: oneOrMore(text).optional(),
  worstCve: cveSchema.optional(),
  scannedWithin: durationSchema.optional(),
});

/** One alternative: every criterion in it must pass. */
const condition = z.strictObject({
  hours: oneOrMore(name).optional(),
  device: z.union([name, device]).optional(),
  mfa: durationSchema.optional(),
  phishingResistant: z.literal(true).optional(),
  amr: oneOrMore(text).optional(),
  acr: oneOrMore(text).optional(),
  provider: oneOrMore(name).optional(),
  network: oneOrMore(name).optional(),
  country: oneOrMore(country).optional(),
  asn: oneOrMore(asn).optional(),
  feed: feeds.optional(),
  risk: riskSchema.optional(),
  key: key.optional(),
  ticket: ticket.optional(),
  approved: z.boolean().optional(),
  workload: z.union([name, workload]).optional(),
  connector: z.union([name, device]).optional(),
});

const rateText = z
  .string({ error: 'a rate is written like `100/1m`' })
  .regex(/^[1-9]\d{0,8}\/[1-9]\d{0,4}[smhd]$/, 'a rate is written like `100/1m`')
  .transform((written) => {
    const [requests = '', per = ''] = written.split('/');
    const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[per.slice(-1)] ?? Number.NaN;
    return { requests: Number(requests), per: Number.parseInt(per, 10) * unit };
  });

const rateKey = z.enum(['user', 'device', 'app', 'route', 'address']);
const rate = z.union([
  rateText,
  z
    .strictObject({ limit: rateText, by: oneOrMore(rateKey) })
    .transform(({ limit, by }) => ({ ...limit, by: Array.isArray(by) ? by : [by] })),
]);

/** Keys that ask something of an allowed request. */
const obligations = {
  stepUp: z
    .strictObject({ mfa: durationSchema.optional(), phishingResistant: z.literal(true).optional() })
    .optional(),
  readOnly: z.literal(true).optional(),
  redact: name.optional(),
  rate: rate.optional(),
  record: z.literal(true).optional(),
  maxSession: durationSchema.optional(),
};

const apps = z.union([z.literal('*'), name, z.array(name).min(1)]);

const rule = z
  .strictObject({
    id: name,
    allow: apps.optional(),
    deny: apps.optional(),
    who: oneOrMore(selector).optional(),
    protocol: z.enum(['http', 'tcp']).optional(),
    methods: oneOrMore(methodSchema).optional(),
    paths: oneOrMore(pathSchema).optional(),
    from: instantSchema.optional(),
    until: instantSchema.optional(),
    when: z.union([condition, z.array(condition).min(1)]).optional(),
    unless: z.union([condition, z.array(condition).min(1)]).optional(),
    mode: z.enum(['enforce', 'shadow']).optional(),
    because: text.optional(),
    ...obligations,
  })
  // Said again in check.ts, where the message is better; here for editors.
  .meta({ oneOf: [{ required: ['allow', 'who'] }, { required: ['deny'] }] });

const machine = z.union([name, z.strictObject({ ...claims, quoted: durationSchema.optional() })]).optional();

/** A described request. Facts that are not given are unknown. */
const described = {
  user: text.optional(),
  service: text.optional(),
  groups: oneOrMore(text).optional(),
  roles: oneOrMore(text).optional(),
  app: name,
  protocol: z.enum(['http', 'tcp']).optional(),
  method: methodSchema.optional(),
  path: z.string().max(2048).optional(),
  at: z.string().max(100).optional(),
  device: machine,
  mfa: durationSchema.optional(),
  amr: oneOrMore(text).optional(),
  acr: text.optional(),
  provider: name.optional(),
  network: name.optional(),
  address: z.string().max(45).optional(),
  country: country.optional(),
  asn: asn.optional(),
  feed: z.union([z.literal('none'), z.array(name).min(1)]).optional(),
  risk: z.number().min(0).max(100).optional(),
  key: key.optional(),
  ticket: ticket.optional(),
  approved: z.boolean().optional(),
  workload: z
    .union([
      name,
      z.strictObject({
        signedBy: oneOrMore(text).optional(),
        provenance: oneOrMore(text).optional(),
        worstCve: z.enum(SEVERITIES).optional(),
        scanned: durationSchema.optional(),
      }),
    ])
    .optional(),
  connector: machine,
};

const test = z.strictObject({
  name: text,
  ...described,
  expect: z.enum(['allow', 'deny']),
  rule: name.optional(),
  remedy: z
    .enum([
      'step-up',
      'enrol-device',
      'mend-device',
      'mend-connector',
      'wait-until',
      'request-access',
      'none',
    ])
    .optional(),
});

const policy = z.strictObject({
  version: z.literal(1),
  zone: zoneSchema.optional(),
  groups: z.record(name, z.strictObject({ members: z.array(selector).min(1) })).optional(),
  networks: z.record(name, z.array(cidrSchema).min(1)).optional(),
  devices: z.record(name, device).optional(),
  hours: z.record(name, oneOrMore(windowSchema)).optional(),
  workloads: z.record(name, workload).optional(),
  apps: z.array(name).min(1),
  rules: z.array(rule),
  tests: z.array(test).optional(),
});

/** The whole document. */
export const policySchema: z.ZodType<PolicyDocument> = policy;
/** A described request alone, as `policy explain` takes it. */
export const requestSchema: z.ZodType<RequestDocument> = z.strictObject(described);
