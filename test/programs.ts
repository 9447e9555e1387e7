// The table of programs that suites run as real parts; a program that no suite uses must not stay here.

/** A Debian package, one file or program it brings, and who runs it. */
export interface Part {
  readonly package: string;
  /** A name, or a path in which `*` stands for what differs between machines. */
  readonly program: string;
  readonly suites: string;
}

export const parts: readonly Part[] = [
  {
    package: 'nginx-light',
    program: 'nginx',
    suites: 'story, bench, repository: the app behind a connector',
  },
  { package: 'wrk', program: 'wrk', suites: 'bench: load from a process of its own' },
  { package: 'chromium', program: 'chromium', suites: 'story: a person at a browser' },
  { package: 'openssl', program: 'openssl', suites: 'gateway/pki, siem/sinks, repository: certificates' },
  {
    package: 'curl',
    program: 'curl',
    suites: 'story, repository: exchanges compared; the commands of the documents',
  },
  { package: 'rsyslog', program: 'rsyslogd', suites: 'siem/sinks: a syslog server' },
  {
    package: 'rsyslog-gnutls',
    program: '/usr/lib/*/rsyslog/lmnsd_gtls.so',
    suites: 'siem/sinks: a syslog server that speaks TLS',
  },
  {
    package: 'redis-server',
    program: 'redis-server',
    suites: 'gateway/state, fault, bench: state of several gateways',
  },
  {
    package: 'faketime',
    program: '/usr/lib/*/faketime/libfaketime.so.1',
    suites: 'fault: a clock that is set',
  },
  { package: 'git', program: 'git', suites: 'story, gateway/change: a clone through the gateway; changes' },
  {
    package: 'postgresql',
    program: '/usr/lib/postgresql/*/bin/initdb',
    suites: 'story: a database behind the gateway',
  },
  { package: 'postgresql-client', program: 'psql', suites: 'story: a person at a terminal' },
  { package: 'util-linux', program: 'runuser', suites: 'story: a database that refuses to be root' },
  { package: 'openssh-server', program: 'sshd', suites: 'story: a shell behind the gateway' },
  { package: 'openssh-client', program: 'scp', suites: 'story: a person at a terminal' },
  {
    package: 'openssh-client',
    program: 'ssh-keygen',
    suites: 'story, gateway/change, gateway/pki: keys, signatures and certificates',
  },
  { package: 'shellcheck', program: 'shellcheck', suites: 'repository: shell scripts and completion' },
  { package: 'zsh', program: 'zsh', suites: 'bin: completion' },
  {
    package: 'golang-go',
    program: 'go',
    suites: 'siem/ledger: another implementation of transparency logs',
  },
  { package: 'slowhttptest', program: 'slowhttptest', suites: 'fault: slow strangers' },
  { package: 'haproxy', program: 'haproxy', suites: 'story: another reading of the same bytes' },
  { package: 'nmap', program: 'nmap', suites: 'gateway/edge: what TLS a stranger finds' },
  {
    package: 'swtpm',
    program: 'swtpm',
    suites: 'connectors/device, gateway/attest, story: a TPM',
  },
  {
    package: 'swtpm-tools',
    program: 'swtpm_setup',
    suites: 'connectors/device, gateway/attest, story: a TPM with certificates',
  },
  { package: 'gnutls-bin', program: 'certtool', suites: 'connectors/device: what swtpm_setup signs with' },
  {
    package: 'tpm2-tools',
    program: 'tpm2_checkquote',
    suites: 'connectors/device: another implementation of TPM commands',
  },
  {
    package: 'tpm2-tools',
    program: 'tpm2_eventlog',
    suites: 'gateway/attest: another reader of event logs',
  },
  {
    package: 'libtss2-tcti-swtpm0',
    program: '/usr/lib/*/libtss2-tcti-swtpm.so.0',
    suites: 'connectors/device: the way of tpm2-tools to swtpm',
  },
  {
    package: 'tpm2-openssl',
    program: '/usr/lib/*/ossl-modules/tpm2.so',
    suites: 'story: a program that uses a key in a TPM',
  },
  { package: 'softhsm2', program: 'softhsm2-util', suites: 'gateway/pki: a PKCS#11 token' },
  {
    package: 'softhsm2',
    program: '/usr/lib/*/softhsm/libsofthsm2.so',
    suites: 'gateway/pki: the library of a PKCS#11 token',
  },
  { package: 'opensc', program: 'pkcs11-tool', suites: 'gateway/pki: the way to a PKCS#11 token' },
  { package: 'fish', program: 'fish', suites: 'bin: completion' },
];
