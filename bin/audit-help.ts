// What `sallyport audit --help` and its subcommands say; every option here is one that the command takes.

const VERIFY_HELP = `Usage: sallyport audit verify (--state DIR | --config FILE) [--since FILE]... [--key VKEY]... [--json]

Checks the transparency logs of a gateway: every record that is still in the outbox against its leaf, every tile and
every entry against the signed checkpoint, every checkpoint that was shipped against the log as it is now, the
numbering of the records, and that what is in force is what was logged last. Whatever does not fit is named with its
file and the byte in it. Changes nothing; works beside a running gateway and on a copy of its state directory.

Options:
  --state DIR    The state directory
  --config FILE  The gateway's configuration: names the state directory, and is compared with what was logged itself
  --since FILE   A checkpoint that was kept elsewhere: the log must continue it. May be repeated
  --key VKEY     A log's key that was kept elsewhere, in the place of the one in the state directory. May be repeated
  --json         Print {"ok", "logs", "findings", …} as one line of JSON

Exit codes: 0 everything fits, 1 something does not, 2 wrong usage.

Example: sallyport audit verify --state state
`;

const PROVE_HELP = `Usage: sallyport audit prove <event id> (--state DIR | --config FILE) [--out FILE]

Writes a proof that one event is in its log, for somebody who has nothing but the log's key, and beside it the event
itself, byte for byte as it was shipped. The proof is a C2SP tlog-proof, gzipped if the name of its file ends in .gz:
gunzip it for other tools that read these.

Options:
  --state DIR    The state directory
  --config FILE  The gateway's configuration; names the state directory
  --out FILE     Where to write (default: <event id>.tlog-proof.gz); the event goes to <event id>.json

Exit codes: 0 written, 1 no such event or it is not in the log yet, 2 wrong usage.

Example: sallyport audit prove 019cb830-5000-7a00-8000-000000000001 --state state
`;

const VERIFY_PROOF_HELP = `Usage: sallyport audit verify-proof FILE --key VKEY [--event FILE] [--json]

Checks a proof: that the event is in the log whose key is given. Needs neither the gateway nor its state directory.

Options:
  --key VKEY    The log's key, as \`sallyport audit key\` prints it
  --event FILE  The event, byte for byte (default: the name of the proof with .json)
  --json        Print {"ok", …} as one line of JSON

Exit codes: 0 the event is in the log, 1 it is not, or not as it is, 2 wrong usage.

Example: sallyport audit verify-proof event.tlog-proof.gz --key "$(cat gw1-decisions.vkey)"
`;

const KEY_HELP = `Usage: sallyport audit key (--state DIR | --config FILE) [--json]

Prints the public keys of the two logs. Keep them off the gateway: who checks with a key from there trusts the gateway.

Options:
  --state DIR    The state directory
  --config FILE  The gateway's configuration; names the state directory
  --json         Print {"changes", "decisions"} as one line of JSON

Exit codes: 0 printed, 1 there are none, 2 wrong usage.

Example: sallyport audit key --state state
`;

export const HELP: string = `Usage: sallyport audit <verify|prove|verify-proof|key> [arguments]

Looks after the transparency logs that hold every event of a gateway (see docs/audit.md).

  verify        Check that nothing was changed, added or taken out
  prove         Write a portable proof that one event is in its log
  verify-proof  Check such a proof
  key           Print the logs' public keys

Exit codes: 0 done, 1 the answer is no, 2 wrong usage.

Example: sallyport audit verify --state state
`;

export const SUBCOMMANDS: Readonly<Record<string, string>> = {
  verify: VERIFY_HELP,
  prove: PROVE_HELP,
  'verify-proof': VERIFY_PROOF_HELP,
  key: KEY_HELP,
};
