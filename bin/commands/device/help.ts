// The help of `sallyport device` and its subcommands: those for the machine itself, then those for admins.

const MACHINE_EXIT = 'Exit codes: 0 done, 1 refused, not well or no TPM, 2 wrong usage.';
const ADMIN_EXIT = 'Exit codes: 0 done, 1 refused or no gateway is running, 2 wrong usage.';
const EVENT_LOG = `  --event-log FILE  The firmware's log (default /sys/kernel/security/tpm0/binary_bios_measurements)`;

export const HELP: Readonly<Record<string, string>> = {
  enrol: `Usage: sallyport device enrol --token-file FILE [--portal URL] [--ca FILE] [--tpm TPM] [options]

Makes keys in this machine's TPM and has them enrolled with an admin's token. The keys never leave the TPM.

Options:
  --token-file FILE   The token; - reads standard input. Left out where an admin announced this TPM's own key
  --portal URL        The portal (default: the one you are signed in to)
  --ca FILE           PEM to trust for it instead of the system's authorities
  --tpm TPM           /dev/tpmrm0 (the default), or swtpm:127.0.0.1:PORT
  --endorsement KIND  P-384, P-256 or RSA-2048 (default: the first the TPM has a certificate for)
  --again             Replace what an earlier enrolment left here
  --json              Print {"device", "name", "state"}

${MACHINE_EXIT}

Example: sallyport device enrol --token-file laptop.token
`,
  attest: `Usage: sallyport device attest [--event-log FILE] [--json]

Proves once how this machine booted, and binds your sign-in to it: from then on its token opens nothing elsewhere.

Options:
${EVENT_LOG}
  --json            Print the result

${MACHINE_EXIT}

Example: sallyport device attest
`,
  agent: `Usage: sallyport device agent [--port PORT] [--event-log FILE] [--json]

Keeps this machine's proof fresh, proves anew when its measurements change, and answers your browser on loopback when
it must show which device it is on. Runs until it is stopped.

Options:
  --port PORT       The loopback port for your browser (default 0, a free one)
${EVENT_LOG}
  --json            Print each result as one line of JSON

Exit codes: 0 stopped as told, 1 not enrolled or could not listen, 2 wrong usage.

Example: sallyport device agent
`,
  status: `Usage: sallyport device status [--json]

Says what this machine is enrolled as, and whether its TPM answers with the keys it enrolled.

Options:
  --json  Print it as JSON

${MACHINE_EXIT}

Example: sallyport device status
`,
  browser: `Usage: sallyport device browser [--no-browser]

Opens the portal's page on which your browser shows which device it is on. The agent must be running.

Options:
  --no-browser  Print the address instead of opening it

${MACHINE_EXIT}

Example: sallyport device browser
`,
  token: `Usage: sallyport device token --config FILE (--name NAME | --connector NAME) [options]

Makes a single-use token with which one device, or the machine of one connector, may enrol. Run it as the user the
gateway runs as.

Options:
  --config FILE    The gateway's configuration; names the state directory
  --name NAME      What the device will be called: letters, digits, \`.\`, \`_\` and \`-\`
  --owner PERSON   Whose device it is, by verified e-mail address or subject id: nobody else can use it
  --connector NAME The connector that runs on it; gives the device its name, if --name does not
  --model MODEL    The label its baselines go by (default: what its TPM says it is)
  --approved       No admin has to approve it after it enrolled
  --life DURATION  How long the token can be used: 90s, 15m, 2h, up to 168h (default 1h)
  --ek-name HEX    Announce the TPM with this endorsement key instead: it enrols once without a token
  --out FILE       Write the token to FILE, mode 0600, instead of printing it
  --json           Print {"name", "token", "expiresAt"} (expiresAt: epoch milliseconds; no token with --ek-name)

${ADMIN_EXIT}

Example: sallyport device token --config gateway.yaml --name anna-laptop --owner anna@example.com --out laptop.token
`,
  list: `Usage: sallyport device list --config FILE [--json]

Lists the devices and the machines of connectors, what they are and how they are.

Options:
  --config FILE  The gateway's configuration; names the state directory
  --json         Print {"devices": […]}

${ADMIN_EXIT}

Example: sallyport device list --config gateway.yaml
`,
  approve: adminHelp(
    'approve',
    'Approves a device that has enrolled: its proofs count from its next one on.',
  ),
  revoke: adminHelp(
    'revoke',
    'Revokes a device for good. What it has open and may no longer have is closed within two seconds.',
  ),
  forget: adminHelp('forget', 'Frees the TPM and the name of a device, so that it can enrol anew.'),
  baseline: `Usage: sallyport device baseline [learn DEVICE | approve ID | remove ID] --config FILE [options]

Lists the baselines, or changes them. A baseline says what devices of one model may have started. It is learnt from the
last proof of a device that is known to be good, and counts once it is approved.

Options:
  --config FILE       The gateway's configuration; names the state directory
  --open-pcr N        With learn: PCR N may hold anything; can be given several times
  --min-firmware V    With learn: the oldest TPM firmware, like 7.2.3.1
  --require WORD      With learn: a word the kernel's command line must have; can be given several times
  --forbid WORD       With learn: a word it must not have; can be given several times
  --json              Print the baseline, or {"baselines": […]}

${ADMIN_EXIT}

Example: sallyport device baseline learn anna-laptop --config gateway.yaml
`,
};

function adminHelp(verb: string, about: string): string {
  return `Usage: sallyport device ${verb} DEVICE --config FILE [--json]

${about}
DEVICE is its name or its id.

Options:
  --config FILE  The gateway's configuration; names the state directory
  --json         Print the device

${ADMIN_EXIT}

Example: sallyport device ${verb} anna-laptop --config gateway.yaml
`;
}
