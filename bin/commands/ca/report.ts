// Says in lines how authorities stand, and who has which certificate.

interface Shown {
  readonly id: string;
  /** Whose intermediate it is, where a gateway is several workers. */
  readonly worker?: number;
  readonly root: {
    readonly serial: string;
    readonly notAfter: number;
    readonly sha256: string;
    readonly online: boolean;
  };
  readonly intermediate: { readonly serial: string; readonly notAfter: number; readonly key: string };
  readonly warnings: readonly string[];
}

export function reportText(body: Record<string, unknown>): string {
  return ((body['authorities'] ?? []) as Shown[]).map(textOf).join('\n');
}

function textOf({ id, worker, root, intermediate, warnings }: Shown): string {
  const until = (at: number): string => new Date(at).toISOString().slice(0, 10);
  return [
    worker === undefined ? id : `${id} of worker ${worker}`,
    `  root          ${root.serial}, until ${until(root.notAfter)}, its key is ${root.online ? 'here' : 'offline'}`,
    `                sha256 ${root.sha256}`,
    `  intermediate  ${intermediate.serial}, until ${until(intermediate.notAfter)}, key in: ${intermediate.key}`,
    ...warnings.map((warning) => `  warning       ${warning}`),
    '',
  ].join('\n');
}

interface Issuing {
  readonly serial: string;
  readonly notAfter: number;
}

/** What issues after a rotation: one line, or one for each worker. */
export function rotatedText(authority: string, body: Record<string, unknown>): string {
  const own = [{ worker: undefined, intermediate: body['intermediate'] as Issuing }];
  const all = (body['workers'] ?? own) as { readonly worker?: number; readonly intermediate: Issuing }[];
  const of = (worker: number | undefined): string => (worker === undefined ? '' : ` of worker ${worker}`);
  return all
    .map(({ worker, intermediate: { serial, notAfter } }) => {
      const until = new Date(notAfter).toISOString();
      return `${authority}${of(worker)} issues with ${serial} until ${until}\n`;
    })
    .join('');
}

interface Held {
  readonly holder: string;
  readonly serial: string;
  readonly notAfter: number;
  readonly key: string;
}

export function certificatesText(body: Record<string, unknown>): string {
  const held = (body['certificates'] ?? []) as Held[];
  if (held.length === 0) return 'no certificate is in life\n';
  const width = Math.max(...held.map(({ holder }) => holder.length));
  const line = ({ holder, serial, notAfter, key }: Held): string =>
    `${holder.padEnd(width)}  ${serial}  until ${new Date(notAfter).toISOString()}  key in: ${key}\n`;
  return held.map(line).join('');
}
