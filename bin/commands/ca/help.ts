// The help texts of `sallyport ca`.

const CONFIG = `  --config FILE     The gateway's configuration`;
const AUTHORITY = `  --authority NAME  connector-ca (default), or development-ca`;
const EXITS = `Exit codes: 0 done, 1 refused or no gateway is running, 2 wrong usage.`;

const SHOW = `Usage: sallyport ca show --config FILE [--json]

Shows the authorities of a running gateway: roots, the intermediates that issue, where their keys are, what ends soon.

Options:
${CONFIG}
  --json            Print {"authorities": [...]}

${EXITS}

Example: sallyport ca show --config gateway.yaml
`;

const LIST = `Usage: sallyport ca list --config FILE [--json]

Lists the certificates of connectors and services that have not ended: whose they are, until when, and whether it was
proved that the key is in a TPM (tpm) or not (file).

Options:
${CONFIG}
  --json            Print {"certificates": [{"holder", "serial", "notAfter", "key"}]} (notAfter: epoch milliseconds)

${EXITS}

Example: sallyport ca list --config gateway.yaml
`;

const ROTATE = `Usage: sallyport ca rotate --config FILE [--authority NAME]

Makes an intermediate with a new key, where pki.keys says. What the one before issued stays good until it ends; open
connections are not touched. With an offline root, see \`sallyport ca intermediate\`. Of several workers each gets one,
and all must be there.

Options:
${CONFIG}
${AUTHORITY}

${EXITS}

Example: sallyport ca rotate --config gateway.yaml
`;

const INIT = `Usage: sallyport ca init --dir DIR [--name NAME] [--passphrase-file FILE]

Makes a root to be kept offline, in a directory of its own. Its key is sealed with the passphrase; without a file for
that, one is made beside the key.

Options:
  --dir DIR               The directory, mode 0700; it must not hold a root yet
  --name NAME             What it is called in certificates (default Sallyport connectors)
  --passphrase-file FILE  Mode 0600, at least 12 characters

${EXITS}

Example: sallyport ca init --dir /media/vault/root
`;

const INTERMEDIATE = `Usage: sallyport ca intermediate csr --config FILE --out FILE [--authority NAME]
       sallyport ca intermediate sign --dir DIR --csr FILE --out FILE --trust-domain NAME [--host NAME ...]
       sallyport ca intermediate import --config FILE --certificate FILE [--root FILE] [--authority NAME]

Brings an intermediate from an offline root: csr on the gateway, sign where the root is, import on the gateway. Before
a gateway's first start, csr and import work on its state directory, and import needs --root. Of several workers the
files hold a request and a certificate each.

Options:
${CONFIG}
${AUTHORITY}
  --dir DIR         Where \`sallyport ca init\` made the root
  --csr FILE, --out FILE, --certificate FILE, --root FILE
  --trust-domain, --host  What the intermediate may name: connectors.trustDomain and each of connectors.hosts
  --passphrase-file FILE  Opens the root's key, if it is not beside it

${EXITS}

Example: sallyport ca intermediate csr --config gateway.yaml --out edge.csr
`;

const ISSUE_SERVICE = `Usage: sallyport ca issue-service --config FILE --service NAME [--life 15m] [--out FILE] [--json]

Makes a single-use token with which the service NAME gets a certificate: \`sallyport service enrol\`.

Options:
${CONFIG}
  --service NAME    A DNS label; policies name it service:spiffe://<trust domain>/service/NAME
  --life DURATION   How long the token can be used: 90s, 15m, up to 24h (default 15m)
  --out FILE        Write the token to FILE, mode 0600, instead of printing it
  --json            Print {"token", "name", "expiresAt"} (expiresAt: epoch milliseconds)

${EXITS}

Example: sallyport ca issue-service --config gateway.yaml --service billing --out billing.token
`;

const REVOKE = `Usage: sallyport ca revoke --config FILE --serial HEX [--reason TEXT]

Revokes one certificate of a connector or service: every gateway refuses it within seconds, and it is on the next
revocation list. To take away all of a connector's, use \`sallyport revoke connector\`.

Options:
${CONFIG}
  --serial HEX      As \`openssl x509 -noout -serial\` and events show it
  --reason TEXT     Kept in the event

${EXITS}

Example: sallyport ca revoke --config gateway.yaml --serial 45898D19D9AFFB6C01324F19C1193206 --reason 'key lost'
`;

const CRL = `Usage: sallyport ca crl --config FILE [--out FILE]

Signs the revocation lists anew and prints them, in PEM. A gateway does that by itself each hour, and on each
revocation; they are at https://<connectors' listener>/v1/crl and in <state>/connector-ca/crl.pem.

Options:
${CONFIG}
  --out FILE        Write them to FILE instead

${EXITS}

Example: sallyport ca crl --config gateway.yaml --out crl.pem
`;

const EXPORT = `Usage: sallyport ca export --config FILE [--authority NAME] [--out FILE]

Prints the root and the intermediates in PEM, for whoever has to verify what they issued. No key is ever exported.

Options:
${CONFIG}
${AUTHORITY}
  --out FILE        Write them to FILE instead

${EXITS}

Example: sallyport ca export --config gateway.yaml --out sallyport-ca.pem
`;

const SSH_PUBLIC_KEY = `Usage: sallyport ca ssh-public-key --config FILE [--out FILE] [--json]

Prints the keys that sign SSH certificates, of every gateway of the installation, one a line: for sshd's
TrustedUserCAKeys. They are at https://<portal>/ssh/authority.pub too.

Options:
${CONFIG}
  --out FILE        Write them to FILE instead
  --json            Print {"authorities", "keys"}: the lines, and this gateway's keys with when they sign, and of which
                    worker they are

${EXITS}

Example: sallyport ca ssh-public-key --config gateway.yaml --out sallyport-user-ca.pub
`;

const SSH_ROTATE = `Usage: sallyport ca ssh-rotate --config FILE [--after 24h | --compromised] [--gateway NAME]

Makes the next key for SSH certificates, of one gateway with all its workers. It is published at once and signs later,
so that every sshd can trust it by then; the key before is published until what it signed has ended, and is destroyed
then. Whoever is down meanwhile takes it up before it signs again.

Options:
${CONFIG}
  --after DURATION  When the new key begins to sign: 0, 15m, up to 24h (default 24h)
  --compromised     The new key signs at once, and all others are destroyed and no longer published
  --gateway NAME    Another gateway of the installation, which may be down or lost: its \`name\` in its configuration

${EXITS}

Example: sallyport ca ssh-rotate --config gateway.yaml
`;

const SSH_KRL = `Usage: sallyport ca ssh-krl --config FILE --out FILE

Writes the SSH certificates that are good no more, of people who signed out or were revoked, as an OpenSSH KRL: for
sshd's RevokedKeys. It is at https://<portal>/ssh/revoked.krl too.

Options:
${CONFIG}
  --out FILE        Where to; replaced whole

${EXITS}

Example: sallyport ca ssh-krl --config gateway.yaml --out revoked.krl
`;

const SSH_REVOKE = `Usage: sallyport ca ssh-revoke --config FILE --serial NUMBER [--reason TEXT]

Revokes one SSH certificate: it is on the KRL from now on. To take away all of a person's, use
\`sallyport revoke person\`.

Options:
${CONFIG}
  --serial NUMBER   As \`ssh-keygen -L\`, sshd's log and events show it
  --reason TEXT     Kept in the event

${EXITS}

Example: sallyport ca ssh-revoke --config gateway.yaml --serial 18364758544493064720 --reason 'laptop lost'
`;

export const subcommands: Readonly<Record<string, string>> = {
  init: INIT,
  show: SHOW,
  list: LIST,
  intermediate: INTERMEDIATE,
  rotate: ROTATE,
  'issue-service': ISSUE_SERVICE,
  revoke: REVOKE,
  crl: CRL,
  export: EXPORT,
  'ssh-public-key': SSH_PUBLIC_KEY,
  'ssh-rotate': SSH_ROTATE,
  'ssh-krl': SSH_KRL,
  'ssh-revoke': SSH_REVOKE,
};

export const help: string = `Usage: sallyport ca SUBCOMMAND [options]

Looks after the authorities that vouch for connectors and services, and after the keys that sign SSH certificates.

Subcommands:
  init           Make a root to be kept offline
  show           Show authorities, and what ends soon
  list           List certificates, and where their keys are
  intermediate   Bring an intermediate from an offline root: csr, sign, import
  rotate         Make an intermediate with a new key
  issue-service  Make a token with which a service gets a certificate
  revoke         Revoke one certificate
  crl            Sign the revocation lists anew, and print them
  export         Print root and intermediates
  ssh-public-key Print the keys that sign SSH certificates
  ssh-rotate     Make the next key that signs SSH certificates
  ssh-krl        Write the SSH certificates that are good no more
  ssh-revoke     Revoke one SSH certificate

${EXITS}

Example: sallyport ca show --config gateway.yaml
`;
