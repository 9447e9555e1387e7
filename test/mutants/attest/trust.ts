// Mistakes in whose word counts: keys and certificates.
import type { Mutant } from '../run.ts';

export const TRUST: readonly Mutant[] = [
  {
    name: 'an RSA key may be one that can be broken',
    file: 'gateway/attest/roca.ts',
    find: 'if (!powers.has(number % prime)) return false;',
    replace: 'if (powers.size === 0 || number % prime >= 0n) return false;',
  },
  {
    name: 'reserved attributes are ignored',
    file: 'gateway/attest/public-area.ts',
    find: "if ((attributes & ATTRIBUTE.RESERVED) !== 0) throw new AttestationRefusal('key-reserved-bits');",
    replace: '',
  },
  {
    name: 'an RSA key may have any exponent',
    file: 'gateway/attest/public-area.ts',
    find: "if (exponent !== DEFAULT_EXPONENT && exponent !== 65537) throw new AttestationRefusal('key-exponent');",
    replace: '',
  },
  {
    name: 'an EK may have any template',
    file: 'gateway/attest/key-roles.ts',
    find: "if (!fits) throw new AttestationRefusal('ek-template');",
    replace: 'void fits;',
  },
  {
    name: 'an AK need not be restricted',
    file: 'gateway/attest/key-roles.ts',
    find: "  [ATTRIBUTE.RESTRICTED, 'ak-not-restricted'],\n",
    replace: '',
  },
  {
    name: 'an AK may leave its TPM',
    file: 'gateway/attest/key-roles.ts',
    find: "  [ATTRIBUTE.FIXED_TPM | ATTRIBUTE.FIXED_PARENT, 'ak-not-fixed-tpm'],\n",
    replace: '',
  },
  {
    name: 'an AK may be imported',
    file: 'gateway/attest/key-roles.ts',
    find: "  [ATTRIBUTE.SENSITIVE_DATA_ORIGIN, 'ak-imported'],\n",
    replace: '',
  },
  {
    name: 'an AK may decrypt',
    file: 'gateway/attest/key-roles.ts',
    find: "if ((ak.attributes & ATTRIBUTE.DECRYPT) !== 0) throw new AttestationRefusal('ak-decrypts');",
    replace: '',
  },
  {
    name: 'a certificate may be for another EK',
    file: 'gateway/attest/endorsements.ts',
    find: "if (key === undefined || !isKeyOf(key, ek)) throw new AttestationRefusal('ek-certificate-other-key');",
    replace: 'void key; void isKeyOf;',
  },
  {
    name: 'an EK certificate may have expired',
    file: 'gateway/attest/endorsements.ts',
    find: '    checkTime(leaf, now);\n',
    replace: '',
  },
  {
    name: 'an issuer may have expired',
    file: 'gateway/attest/endorsements.ts',
    find: '  checkTime(issuer.certificate, now);\n',
    replace: '',
  },
  {
    name: 'an EK certificate may be one of a CA',
    file: 'gateway/attest/endorsements.ts',
    find: "if (leaf.basicConstraints?.ca === true) throw new AttestationRefusal('ek-certificate-is-ca');",
    replace: '',
  },
  {
    name: 'the purpose is not checked',
    file: 'gateway/attest/endorsements.ts',
    find: "if (leaf.purposes?.includes(EK_PURPOSE) !== true) throw new AttestationRefusal('ek-certificate-purpose');",
    replace: 'void EK_PURPOSE;',
  },
  {
    name: 'unknown critical extensions of an EK certificate are ignored',
    file: 'gateway/attest/endorsements.ts',
    find: "if (hasUnknown(leaf)) throw new AttestationRefusal('ek-certificate-critical-extension');",
    replace: '',
  },
  {
    name: 'unknown critical extensions of an issuer are ignored',
    file: 'gateway/attest/endorsements.ts',
    find: "  if (hasUnknown(issuer.certificate)) throw new AttestationRefusal('ek-certificate-critical-extension');\n",
    replace: '',
  },
  {
    name: 'the signature of a certificate is not verified',
    file: 'gateway/attest/endorsements.ts',
    find: 'if (verdict !== undefined) throw new AttestationRefusal(verdict);',
    replace: 'void verdict;',
  },
  {
    name: 'an issuer need not be a CA',
    file: 'gateway/attest/endorsements.ts',
    find: 'if (basicConstraints?.ca !== true || !maySign(issuer.certificate, KEY_USAGE.KEY_CERT_SIGN)) {',
    replace: 'if (!maySign(issuer.certificate, KEY_USAGE.KEY_CERT_SIGN)) {',
  },
  {
    name: 'an issuer need not be allowed to sign certificates',
    file: 'gateway/attest/endorsements.ts',
    find: 'if (basicConstraints?.ca !== true || !maySign(issuer.certificate, KEY_USAGE.KEY_CERT_SIGN)) {',
    replace: 'if (basicConstraints?.ca !== true) {',
  },
  {
    name: 'path lengths are ignored',
    file: 'gateway/attest/endorsements.ts',
    find: 'if ((basicConstraints.pathLength ?? MAX_CHAIN) < below - 1) {',
    replace: 'if (below > MAX_CHAIN) {',
  },
  {
    name: 'an intermediate counts as a root',
    file: 'gateway/attest/endorsements.ts',
    find: 'if (issuer.root) return [issuer];',
    replace: 'return [issuer];',
  },
  {
    name: 'revocation lists are not asked',
    file: 'gateway/attest/endorsements.ts',
    find: '  checkRevocation(issuer, certificate.serial, now);\n',
    replace: '',
  },
  {
    name: 'revocation after enrolment is not noticed',
    file: 'gateway/attest/endorsements.ts',
    find: 'if (configured !== undefined) checkRevocation(configured, serial, now);',
    replace: 'if (configured !== undefined) void serial;',
  },
  {
    name: 'a list that is out of date is good',
    file: 'gateway/attest/endorsements.ts',
    find: 'if (revocations.length > 0 && revocations.every(({ nextUpdate }) => nextUpdate < now)) {',
    replace: 'if ((false as boolean) && now > 0) {',
  },
  {
    name: 'a list signed by anybody is taken',
    file: 'gateway/attest/endorsements.ts',
    find: 'maySign(certificate, KEY_USAGE.CRL_SIGN) && isValid(list.signed, key)',
    replace: 'maySign(certificate, KEY_USAGE.CRL_SIGN) && isValid !== undefined && key !== undefined',
  },
  {
    name: 'SHA-1 is good enough for a certificate',
    file: 'gateway/attest/signed.ts',
    find: "  [oid('1.2.840.10045.4.3.2'), { hash: 'sha256', type: 'ec' }],",
    replace:
      "  [oid('1.2.840.10045.4.3.2'), { hash: 'sha256', type: 'ec' }],\n  [oid('1.2.840.10045.4.1'), { hash: 'sha1', type: 'ec' }],",
  },
  {
    name: 'an extension may come twice',
    file: 'gateway/attest/certificate.ts',
    find: 'if (seen.has(name) || (read === undefined && critical))',
    replace: 'if (read === undefined && critical)',
  },
  {
    name: 'a TPM need not be named whole',
    file: 'gateway/attest/certificate.ts',
    find: 'if (manufacturer === undefined || model === undefined || version === undefined) return undefined;',
    replace: 'if (manufacturer === undefined) return undefined;',
  },
];
