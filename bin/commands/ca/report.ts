// Says in lines how authorities stand.

interface Shown {
  readonly id: string;
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

function textOf({ id, root, intermediate, warnings }: Shown): string {
  const until = (at: number): string => new Date(at).toISOString().slice(0, 10);
  return [
    id,
    `  root          ${root.serial}, until ${until(root.notAfter)}, its key is ${root.online ? 'here' : 'offline'}`,
    `                sha256 ${root.sha256}`,
    `  intermediate  ${intermediate.serial}, until ${until(intermediate.notAfter)}, key in: ${intermediate.key}`,
    ...warnings.map((warning) => `  warning       ${warning}`),
    '',
  ].join('\n');
}
