// `sallyport change check`: what a gateway would say of a change, without a gateway.
import { checkContents } from '#gateway/change/contents';
import { configurationName, termsOf } from '#gateway/change/governed';
import { judge } from '#gateway/change/judge';
import { ChangeRefusal } from '#gateway/change/reasons';
import { EXIT } from '../../exit.ts';
import { readGatewayConfig } from '../../read-gateway-config.ts';
import { readOptions } from '../../usage.ts';
import { misused, readChangeFile, told } from './file.ts';
import { ProposalError } from './proposal.ts';
import { summary } from './sign.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('change check', argv, {
    config: { type: 'string' },
    previous: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [file, ...more] = parsed.positionals;
  const { config: configFile, previous, json } = parsed.values;
  if (file === undefined || configFile === undefined || more.length > 0)
    return misused('check', 'FILE --config FILE');
  const config = readGatewayConfig(configFile);
  if (config === undefined) return EXIT.usage;
  return told('check', async () => {
    if (config.changes === undefined)
      throw new ProposalError(`${configFile} has no \`changes\`: it says who may sign, see docs/changes.md`);
    const before = previous === undefined ? undefined : readChangeFile(previous);
    const inForce = before && { id: before.id, sequence: before.statement.sequence };
    try {
      const change = readChangeFile(file);
      const signers = judge(change, termsOf(config, configFile), inForce, Date.now());
      await checkContents(change.bundle, { name: configurationName(config), path: configFile }, Date.now());
      const { sequence } = change.statement;
      process.stdout.write(
        json
          ? `${JSON.stringify({ ok: true, id: change.id, sequence, signers })}\n`
          : `${summary(change)}signed by ${signers.join(', ')}: it would be accepted\n`,
      );
      return EXIT.ok;
    } catch (error) {
      if (!(error instanceof ChangeRefusal) || !json) throw error;
      process.stdout.write(`${JSON.stringify({ ok: false, reason: error.code, message: error.message })}\n`);
      return EXIT.no;
    }
  });
}
