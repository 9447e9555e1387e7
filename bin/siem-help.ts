// What `sallyport siem --help` and its subcommands say; every option here is one that the command takes.

const STATUS_HELP = `Usage: sallyport siem status --config FILE [--json]

Shows for each sink how far it has got: delivered, dead letters, what waits and for how long. Reads files only, so it
works whether the gateway runs or not.

Exit codes: 0 every sink has everything, 1 some sink is behind by more than a minute or has dead letters, 2 wrong usage.

Example: sallyport siem status --config gateway.yaml
`;

const TEST_HELP = `Usage: sallyport siem test <sink> --config FILE [--json]

Sends one marked event straight to a sink and waits until its receiver has acknowledged it. Find it in the SIEM by
event.action: siem-test and the event.id that is printed.

Exit codes: 0 acknowledged, 1 not, 2 wrong usage.

Example: sallyport siem test soc --config gateway.yaml
`;

const REPLAY_HELP = `Usage: sallyport siem replay <sink> --from TIME [--to TIME] --config FILE [--json]

Sends events of the outbox to a sink again, in order, beside a running gateway. Repeats have the same event.id.

Options:
  --from TIME  First instant, with its offset: 2026-03-04T00:00:00Z
  --to TIME    Last instant (default: what is there now)

Exit codes: 0 all were acknowledged, 1 not all, 2 wrong usage.

Example: sallyport siem replay soc --from 2026-03-04T00:00:00Z --config gateway.yaml
`;

const SETUP_HELP = `Usage: sallyport siem setup <sink> --config FILE [--keep-days 365] [--api-key-file FILE]
       sallyport siem setup --print [--opensearch] [--keep-days 365]

Makes the life cycle policy, ingest pipeline, component templates and index template that an elasticsearch
sink's events need; asks first whether it is Elasticsearch or OpenSearch. Repeating it changes nothing. The
sink's own key should only create documents; name a stronger one with --api-key-file.

Options:
  --keep-days N        Delete events after N days (default 365)
  --api-key-file FILE  API key with manage_ilm, manage_ingest_pipelines and manage_index_templates; mode 0600
  --print              Only print the requests, for somebody else to make
  --opensearch         Print those for OpenSearch

Exit codes: 0 made, 1 refused, 2 wrong usage.

Example: sallyport siem setup elastic --config gateway.yaml --api-key-file admin.key
`;

const DETECTIONS_HELP = `Usage: sallyport siem detections --out DIR [--format sigma|elastic] [--privileged-app APP]...

Writes the detections of this version: Sigma rules, and rules and a dashboard for Elastic. Nothing is sent anywhere, and
no file that differs is written over. docs/detections.md lists them.

Options:
  --out DIR             Folder, made if it is not there
  --format FORMAT       sigma or elastic (default: both)
  --privileged-app APP  An app for which a new device or country matters; may come many times (default: every app)

Exit codes: 0 written, 1 not, 2 wrong usage.

Example: sallyport siem detections --out detections --privileged-app vault.prod
`;

export const HELP: string = `Usage: sallyport siem <status|test|replay|setup|detections> [arguments]

Looks after the sinks to which events are shipped (siem: in the gateway's configuration, see docs/siem.md).

  status      How far each sink has got
  test        Send a marked event and see it acknowledged
  replay      Send events again
  setup       Make what Elasticsearch needs
  detections  Write Sigma rules, Elastic rules and a dashboard

Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage.

Example: sallyport siem status --config gateway.yaml
`;

export const SUBCOMMANDS: Readonly<Record<string, string>> = {
  status: STATUS_HELP,
  test: TEST_HELP,
  replay: REPLAY_HELP,
  setup: SETUP_HELP,
  detections: DETECTIONS_HELP,
};
