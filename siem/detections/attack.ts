// The techniques of MITRE ATT&CK that detections name, spelled out the way Elastic's rules want them.

interface Named {
  readonly id: string;
  readonly name: string;
  readonly reference: string;
}

/** One entry of a rule's `threat`. */
export interface Threat {
  readonly framework: 'MITRE ATT&CK';
  readonly tactic: Named;
  readonly technique: readonly (Named & { readonly subtechnique?: readonly Named[] })[];
}

const SITE = 'https://attack.mitre.org';

const TACTICS: Readonly<Record<string, readonly [string, string]>> = {
  'initial-access': ['TA0001', 'Initial Access'],
  persistence: ['TA0003', 'Persistence'],
  'credential-access': ['TA0006', 'Credential Access'],
  'lateral-movement': ['TA0008', 'Lateral Movement'],
  impact: ['TA0040', 'Impact'],
};

const TECHNIQUES: Readonly<Record<string, string>> = {
  T1078: 'Valid Accounts',
  T1110: 'Brute Force',
  T1190: 'Exploit Public-Facing Application',
  T1489: 'Service Stop',
  T1499: 'Endpoint Denial of Service',
  T1528: 'Steal Application Access Token',
  T1542: 'Pre-OS Boot',
  T1550: 'Use Alternate Authentication Material',
  'T1550.004': 'Web Session Cookie',
  T1556: 'Modify Authentication Process',
  'T1556.009': 'Conditional Access Policies',
  T1565: 'Data Manipulation',
  'T1565.001': 'Stored Data Manipulation',
};

/** `initial-access/T1078` as a rule's `threat` says it. Throws for a technique that is not in the table. */
export function threatOf(mark: string): Threat {
  const [tactic = '', technique = ''] = mark.split('/');
  const [id, name] = TACTICS[tactic] ?? [];
  if (id === undefined || name === undefined) throw new Error(`${mark}: the tactic is not in the table`);
  const [parent = ''] = technique.split('.');
  const below = parent === technique ? {} : { subtechnique: [named(technique)] };
  return {
    framework: 'MITRE ATT&CK',
    tactic: { id, name, reference: `${SITE}/tactics/${id}/` },
    technique: [{ ...named(parent), ...below }],
  };
}

function named(id: string): Named {
  const name = TECHNIQUES[id];
  if (name === undefined) throw new Error(`${id}: the technique is not in the table`);
  return { id, name, reference: `${SITE}/techniques/${id.replace('.', '/')}/` };
}
