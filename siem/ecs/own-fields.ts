// Every field below `sallyport.` that a document may have, for the index template, the documentation and the tests.
// A field that is not listed here must not be emitted.

export interface OwnField {
  readonly name: string;
  /** Elasticsearch mapping type; `object`: kept whole, searched as its `searchable` members say. */
  readonly type: 'keyword' | 'long' | 'boolean' | 'date' | 'text' | 'object';
  readonly array: boolean;
  readonly meaning: string;
  readonly example: string;
  /** For `object`: members that are indexed, and how. */
  readonly searchable?: Readonly<Record<string, 'keyword' | 'long' | 'boolean' | 'date' | 'ip'>>;
}

function field(name: string, type: OwnField['type'], meaning: string, example: string): OwnField {
  return { name: `sallyport.${name}`, type, array: false, meaning, example };
}

function list(name: string, type: OwnField['type'], meaning: string, example: string): OwnField {
  return { ...field(name, type, meaning, example), array: true };
}

const accessFields: readonly OwnField[] = [
  field('app.id', 'keyword', 'The app, as the policy names it.', 'grafana.prod'),
  field('decision.id', 'keyword', 'Event id of the decision that allowed this stream.', '0199c3d2-…'),
  field('stream.enforce_ms', 'long', 'Milliseconds from found no longer allowed to both sides closed.', '12'),
  field('decision.verdict', 'keyword', '`allow` or `deny`.', 'deny'),
  field('decision.policy_hash', 'keyword', 'SHA-256 of the policy document that decided.', '9f86d081…'),
  list('decision.would_allow', 'keyword', 'Shadow rules that would have allowed.', 'oncall-grafana'),
  list('decision.would_deny', 'keyword', 'Shadow rules that would have denied.', 'embargo'),
  {
    ...field(
      'decision.obligations',
      'object',
      'What the rule asks beyond letting through.',
      '{"readOnly":true}',
    ),
    searchable: { readOnly: 'boolean', redact: 'keyword' },
  },
  field('decision.entitled', 'boolean', 'Whether the person may know that the app exists.', 'true'),
  field('decision.remedy.kind', 'keyword', 'The smallest change that would allow it.', 'step-up'),
  field(
    'decision.remedy.at',
    'date',
    'With `wait-until`: when it would be allowed.',
    '2026-03-04T07:00:00.000Z',
  ),
  field('decision.remedy.max_age_ms', 'long', 'With `step-up`: how old the sign-in may be.', '900000'),
  field('decision.remedy.acr', 'keyword', 'With `step-up`: the context class that is needed.', 'phr'),
  field('decision.remedy.phishing_resistant', 'boolean', 'With `step-up`: whether it must be.', 'true'),
  {
    ...list(
      'decision.nearest',
      'object',
      'Rules nearest to deciding otherwise, nearest first.',
      '{"rule":"sre"}',
    ),
    searchable: { rule: 'keyword', effect: 'keyword', 'unmet.criterion': 'keyword', 'unmet.code': 'keyword' },
  },
  {
    ...field(
      'decision.input',
      'object',
      'Everything the decision was made from, for replay.',
      '{"version":1}',
    ),
    searchable: {
      'subject.kind': 'keyword',
      'subject.groups': 'keyword',
      'subject.key': 'keyword',
      'login.provider': 'keyword',
      'device.attested': 'boolean',
      'device.secureBoot': 'boolean',
      'network.country': 'keyword',
      'network.feeds': 'keyword',
      risk: 'long',
      ticket: 'keyword',
    },
  },
  field('refusals.count', 'long', 'Refusals that this event stands for.', '48211'),
  field('refusals.addresses', 'long', 'Of how many addresses, at least.', '1'),
  {
    ...list('refusals.by_code', 'object', 'How many had which code.', '{"code":"parse","count":812}'),
    searchable: { code: 'keyword', count: 'long' },
  },
  list(
    'acting.chain',
    'keyword',
    'Services through whom the request came, the last one first.',
    'spiffe://…',
  ),
  field('acting.person.id', 'keyword', 'The person in whose name a service asks.', 'https://id.example#7'),
  field('acting.transaction.id', 'keyword', 'The same at every hop: `txn` of the assertions.', '0199c3d2-…'),
  list('acting.scope', 'keyword', 'Methods to which the service is limited.', 'GET'),
  field('session.id', 'keyword', 'Handle of the session; of no use to a thief.', '0199c3d2-…'),
  field('tls.client.ja4', 'keyword', 'JA4 fingerprint of the client hello.', 't13d1516h2_…'),
];

const authFields: readonly OwnField[] = [
  field('login.provider', 'keyword', 'Identity provider, as the configuration names it.', 'okta'),
  field('login.mfa_at', 'date', 'When the person last proved a second factor.', '2026-03-04T09:00:00.000Z'),
  list('login.amr', 'keyword', 'Authentication methods, as the provider gave them.', 'mfa'),
  field('login.acr', 'keyword', 'Authentication context class.', 'phr'),
  field('revocation.enforce_ms', 'long', 'Milliseconds until the last open stream was closed.', '412'),
  field('revocation.streams_closed', 'long', 'Open streams that were closed.', '3'),
  field('revocation.sessions', 'long', 'Sessions that ended.', '2'),
  field('revocation.target.kind', 'keyword', '`person`, `device`, `service` or `connector`.', 'person'),
  field('revocation.target.id', 'keyword', 'What was revoked.', 'https://idp.example#7'),
  field('actor.kind', 'keyword', '`user`, `operator` or `gateway`.', 'operator'),
  field('actor.id', 'keyword', 'Who did it.', 'root@gw1'),
  field('actor.name', 'keyword', 'Who did it, for people.', 'Ada Admin'),
];

const connectorFields: readonly OwnField[] = [
  field('connector.name', 'keyword', 'The connector; as claimed where it was refused.', 'berlin-1'),
  field('connector.version', 'keyword', 'Version it says it runs.', '0.1.0'),
  field('connector.link', 'keyword', 'Tells several links of one connector apart.', '7f3a'),
  list('connector.apps', 'keyword', 'Apps it offers to reach.', 'grafana.prod'),
  field('connector.streams_lost', 'long', 'Streams that were open when the tunnel ended.', '2'),
  field('drill.fault', 'keyword', 'What is rehearsed.', 'state'),
  field('drill.seconds', 'long', 'For how long.', '15'),
  field('drill.held', 'boolean', 'Whether all that was required was seen.', 'true'),
  list('drill.findings', 'keyword', 'What was required, and what was seen.', 'held: …'),
  field('certificate.use', 'keyword', 'What for: `people`, `connector-ca root`, `service`, `ssh`.', 'people'),
  field('certificate.holder', 'keyword', 'Who has it: a service, or a key id of SSH.', 'service/billing'),
  field('authority.id', 'keyword', 'The authority, by its directory.', 'connector-ca'),
  field('certificate.serial', 'keyword', 'Serial number: hex, of SSH decimal.', '4f2a'),
  list('certificate.principals', 'keyword', 'Of SSH: accounts that it opens.', 'deploy'),
  field('certificate.key_fingerprint', 'keyword', 'Of SSH: fingerprint of the person’s key.', 'SHA256:9tP0…'),
  field('certificate.authority', 'keyword', 'Of SSH: fingerprint of the key that signed.', 'SHA256:kXw2…'),
  field('certificate.sha256', 'keyword', 'Fingerprint, upper-case hex.', '0687F666…'),
  field('certificate.not_after', 'date', 'End of its life.', '2026-03-05T09:00:00.000Z'),
  field('certificate.key', 'keyword', 'Where its key was proved to be: `tpm`, or else `file`.', 'tpm'),
  field('certificate.replaces', 'keyword', 'Serial number of the one before.', '4f29'),
  field('enrolment.expires_at', 'date', 'Until when the token can be used.', '2026-03-04T10:00:00.000Z'),
];

const deviceFields: readonly OwnField[] = [
  field('device.name', 'keyword', 'The device, as its enrolment token named it.', 'anna-laptop'),
  field('device.owner', 'keyword', 'Whose device it will be.', 'https://idp.example#7'),
  field('device.state', 'keyword', '`pending` or `approved`.', 'approved'),
  field('device.ek_name', 'keyword', 'TPM Name of its endorsement key, hex.', '000b5d2e…'),
  field('device.status', 'keyword', 'Attestation result: `affirming`, `warning`, …', 'contraindicated'),
  list('device.reasons', 'keyword', 'Why, worst first.', 'secure-boot-off'),
  field('device.boot', 'keyword', 'Names the boot that was quoted.', '41.0'),
  field('device.expires_at', 'date', 'Until when the result counts.', '2026-03-04T09:15:00.000Z'),
  field('device.channel', 'keyword', '`browser` or `terminal`.', 'browser'),
  field('device.key', 'keyword', 'Thumbprint of the key in its TPM (RFC 7638).', 'NzbLsXh8uDCc…'),
  field('baseline.id', 'keyword', 'The baseline.', '7f3a9c'),
  field('baseline.model', 'keyword', 'The model of device it is for.', 'INTC TGL 600.7'),
];

const auditFields: readonly OwnField[] = [
  field('change.subject', 'keyword', 'What changed: `policy`, `bundle` (a signed change), `code`.', 'policy'),
  field('change.hash', 'keyword', 'SHA-256 of what it is now.', '9f86d081…'),
  field('change.previous_hash', 'keyword', 'SHA-256 of what it was, or still is.', '60303ae2…'),
  field('change.sequence', 'long', 'Number of the signed change.', '17'),
  field('change.repository', 'keyword', 'Where it comes from.', 'git@git.example.com:infra/access.git'),
  field('change.branch', 'keyword', 'Branch of the commit.', 'main'),
  field('change.commit', 'keyword', 'Full id of the commit.', '9fceb02d…'),
  field('change.author', 'keyword', 'Author of the commit.', 'Ada <ada@example.com>'),
  field('change.title', 'text', 'First line of the commit.', 'policy: who reads the wiki'),
  list('change.signers', 'keyword', 'People whose signatures counted.', 'ada@example.com'),
  {
    ...list('change.files', 'object', 'The files it puts in force.', '{"name":"policy","sha256":"9f86…"}'),
    searchable: { name: 'keyword', sha256: 'keyword' },
  },
  field('admin.verdict', 'keyword', '`allowed` or `refused`.', 'allowed'),
  list('admin.roles', 'keyword', 'Roles of whoever asks.', 'operator'),
  field('admin.route', 'keyword', 'What is asked for.', 'POST /v1/revocations'),
  field('admin.path', 'keyword', 'The address itself, without its query.', '/v1/revocations'),
  field('admin.break_glass', 'boolean', 'Whether an account for emergencies asks.', 'false'),
  field('admin.action', 'keyword', 'Event id of the action this is the end of.', '0199c3d2-…'),
  field('admin.account', 'keyword', 'The account for emergencies.', 'glass-1'),
  field('admin.until', 'date', 'When it closes by itself.', '2026-03-04T10:00:00.000Z'),
  field('release.verdict', 'keyword', '`as-released`, `drifted` or `unproven`.', 'as-released'),
  field('release.version', 'keyword', 'The release that the manifest is of.', '0.1.0'),
  field('release.files', 'long', 'How many files differ.', '0'),
  list('release.changed', 'keyword', 'Files that are different.', 'dist/gateway/flow.js'),
  list('release.missing', 'keyword', 'Files that are gone.', 'dist/gateway/flow.js'),
  list('release.added', 'keyword', 'Files that are in no release.', 'dist/gateway/more.js'),
  field('policy.rules', 'long', 'Number of rules.', '42'),
  list('policy.problems', 'text', 'Why the document was rejected, with line and column.', '3:7 unknown key'),
  field('ledger.log', 'keyword', '`decisions` or `changes`.', 'decisions'),
  field('ledger.size', 'long', 'Leaves of the tree.', '1048576'),
  field('ledger.root', 'keyword', 'RFC 6962 root hash, hex.', 'e3b0c442…'),
  field('ledger.note', 'text', 'The signed note.', 'access.example.com/…'),
];

const healthFields: readonly OwnField[] = [
  field('gateway.id', 'keyword', 'Which gateway; sequences count per id.', 'gw1'),
  field('gateway.runtime', 'keyword', 'Version of Node.', 'v26.10.0'),
  field('gateway.timezones', 'keyword', 'Version of the time-zone rules decisions use.', '2026a'),
  field('gateway.config_hash', 'keyword', 'SHA-256 of the configuration.', '2c26b46b…'),
  field('gateway.policy_hash', 'keyword', 'SHA-256 of the policy in force.', '9f86d081…'),
  field('gateway.code_hash', 'keyword', 'SHA-256 over its own program files.', '3b9c358f…'),
  field('gateway.change_id', 'keyword', 'Id of the signed change in force.', '60303ae2…'),
  field('gateway.repaired_bytes', 'long', 'Bytes of a torn record that were cut at start.', '0'),
  field('gateway.uptime_ms', 'long', 'Milliseconds since it started.', '86400000'),
  field('heartbeat.interval_ms', 'long', 'When to expect the next: silence is an alarm.', '10000'),
  field('heartbeat.connectors', 'long', 'Connectors with a tunnel.', '4'),
  field('outbox.bytes', 'long', 'Bytes in the outbox.', '104857600'),
  field('outbox.quota_bytes', 'long', 'Bytes it may hold.', '10737418240'),
  field('outbox.refused', 'long', 'Records refused since the start; each was a deny.', '0'),
  {
    ...list('sinks', 'object', 'How each sink stands.', '{"name":"elastic","lag_seconds":0.4}'),
    searchable: {
      name: 'keyword',
      type: 'keyword',
      lag_bytes: 'long',
      lag_seconds: 'long',
      delivered: 'long',
      dead_letters: 'long',
      retries: 'long',
      healthy: 'boolean',
    },
  },
  field('recording.refused', 'long', 'Records refused in this interruption.', '17'),
  field('test.sink', 'keyword', 'The sink a test event is meant for.', 'elastic'),
];

export const ownFields: readonly OwnField[] = [
  ...accessFields,
  ...authFields,
  ...connectorFields,
  ...deviceFields,
  ...auditFields,
  ...healthFields,
];
