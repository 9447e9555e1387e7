// The help of `sallyport change` and its subcommands, in the order in which a change goes through them.

export const HELP: Readonly<Record<string, string>> = {
  propose: `Usage: sallyport change propose --config FILE... --out FILE [--previous FILE | --first] [--repository URL]

Makes a change from the commit that is checked out around the configuration: the configuration, the policy and the list
of signers, exactly as they are committed, with the objects of git that show it. Nothing is signed yet.

Options:
  --config FILE     The gateway's configuration, in a clone of the repository. Several gateways of one installation:
                    give one for each
  --out FILE        Where to write the change
  --previous FILE   The change that is in force. Left out: the running gateway is asked
  --first           There is none: the gateway has never taken a change
  --repository URL  What to call the repository (default: the URL of git's remote origin)

Exit codes: 0 written, 1 something is not committed or git says no, 2 wrong usage.

Example: sallyport change propose --config gateway.yaml --out change.json
`,
  sign: `Usage: sallyport change sign FILE --key KEY

Says what the change would put in force, and signs that with \`ssh-keygen -Y sign -n sallyport-change\`. Read the commit
before you sign. Signatures are added: several people sign one after the other.

Options:
  --key KEY  Your SSH key: the private key's file, or the public one's if an agent or a security key holds the other

Exit codes: 0 signed, 1 the change is not what it says or was not signed, 2 wrong usage.

Example: sallyport change sign change.json --key ~/.ssh/id_ed25519.pub
`,
  check: `Usage: sallyport change check FILE --config FILE [--previous FILE] [--json]

Says whether a gateway of this configuration would take the change now: who signed, and for which reason not if not.

Options:
  --config FILE    The gateway's configuration
  --previous FILE  The change that is in force. Left out: its order is not checked
  --json           Print {"ok", "id", "sequence", "signers"} or {"ok", "reason", "message"}

Exit codes: 0 it would, 1 it would not, 2 wrong usage.

Example: sallyport change check change.json --config gateway.yaml
`,
  apply: `Usage: sallyport change apply FILE --config FILE [--json]

Has the running gateway take up a change. Once it is in the transparency log and in force, the files of the change and
the change itself are written to where the configuration says they lie, so that a new start finds them. A new
configuration is in force from the next start on.

Options:
  --config FILE  The gateway's configuration
  --json         Print {"ok", "id", "sequence", "signers", "restart"} or {"ok", "reason", "message"}

Exit codes: 0 accepted, 1 refused or no gateway is running, 2 wrong usage.

Example: sallyport change apply change.json --config gateway.yaml
`,
  log: `Usage: sallyport change log (--config FILE | --state DIR) [--json]

Lists what changes were accepted and refused, oldest first, from the entries of the transparency log \`changes\`.
\`sallyport audit verify\` says whether these are what the gateway signed.

Options:
  --config FILE  The gateway's configuration
  --state DIR    Its state directory
  --json         One JSON object a line

Exit codes: 0 listed, 1 there is no log, 2 wrong usage.

Example: sallyport change log --config gateway.yaml
`,
};
