// What an admin's subcommands share: calling the gateway whose configuration is given, and saying what it answered.
import { AdminError, callAdmin } from '../../admin-client.ts';
import { EXIT } from '../../exit.ts';
import { operatorName } from '../../operator.ts';
import { readGatewayConfig } from '../../read-gateway-config.ts';

export interface AdminCall {
  /** For messages: `token`, `list`, … */
  readonly command: string;
  readonly config: string | undefined;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
}

/** The answer's body, or the exit code after it was said what is wrong. */
export async function askGateway(call: AdminCall): Promise<Record<string, unknown> | number> {
  const { command, method, path } = call;
  if (call.config === undefined) {
    process.stderr.write(`sallyport device ${command}: which gateway? Give --config FILE.\n`);
    return EXIT.usage;
  }
  const config = readGatewayConfig(call.config);
  if (config === undefined) return EXIT.usage;
  try {
    const sent = method === 'GET' ? undefined : { ...call.body, by: operatorName() };
    const { status, body } = await callAdmin(config, method, path, sent);
    if (status < 300) return body;
    process.stderr.write(`sallyport device ${command}: ${String(body['message'])}\n`);
    return EXIT.no;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport device ${command}: ${error.message}\n`);
    return EXIT.no;
  }
}

/** Columns as wide as they need to be. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
