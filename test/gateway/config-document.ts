// A configuration that is good, for tests that spoil it, and what a gateway says of one.
import { gatewaySchema } from '#gateway/config';
import { formatProblems, readDocument } from '#policy/document';

export const GOOD: string = `version: 1
policy: ./policy.yaml
portal: https://access.example.com:8443
identity:
  providers:
    - id: corp
      name: Example Corp
      issuer: https://id.example.com
      clientId: sallyport
      clientSecret: { file: ./secret }
apps:
  - id: wiki
    name: Wiki
    host: wiki.example.com
    connectors: [berlin-1]
`;

/** A line for each mistake. */
export function problems(text: string): string[] {
  const reading = readDocument(gatewaySchema, text, 'gateway.yaml');
  return reading.ok ? [] : formatProblems(reading.problems).split('\n');
}
