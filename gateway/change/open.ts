// Opens signed changes for a gateway that asks for them, and for one that did: only a signed configuration ends it.
import type { GatewayConfig } from '#gateway/config';
import type { Recorder } from '#siem/recorder';
import { AcceptedChanges } from './accepted.ts';
import { Changes, type ConfigurationFile } from './changes.ts';
import { configurationName } from './governed.ts';
import { ChangeRefusal } from './reasons.ts';

export interface OpenOptions {
  readonly config: GatewayConfig;
  readonly configuration: ConfigurationFile;
  /** Id of the change that the transparency log says was accepted last. */
  readonly logged: string | undefined;
  readonly recorder: Recorder;
  readonly now: () => number;
}

/** Undefined where nothing needs to be signed. Throws ChangeRefusal, KeptChangeError and SignersError. */
export async function openChanges(options: OpenOptions): Promise<Changes | undefined> {
  const { config, configuration, logged, recorder } = options;
  const accepted = AcceptedChanges.open(config.state, logged);
  if (config.changes !== undefined) return Changes.open({ ...options, accepted });
  if (accepted.current === undefined) return undefined;
  if (accepted.current.bundle.contents[configurationName(config)] !== configuration.text) {
    const { file } = configuration;
    const refusal = new ChangeRefusal(
      'unsigned',
      `${file} has no \`changes\` any more, and nobody signed that`,
    );
    const { code, message } = refusal;
    const by = { kind: 'gateway', id: 'changes' } as const;
    await recorder.record(
      { kind: 'change-refused', code, message, file, kept: accepted.current.id, by },
      { durable: true },
    );
    throw refusal;
  }
  accepted.end();
  return undefined;
}
