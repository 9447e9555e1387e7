// What each reason code means and what a person can do about it. Texts hold nothing from the evidence, which may be
// an attacker's.
import type { ReasonCode } from './reasons.ts';

const FORGED =
  'The evidence was altered or made up. If the device is yours, update its Sallyport and look at it.';
const UPDATE =
  'Update Sallyport on the device; if it stays, its TPM or firmware does not follow the specification.';
const AGAIN = 'Attest again.';
const NEW_TOKEN = 'Ask an admin for a new enrolment token.';
const NEW_KEY = 'Delete the attestation key on the device and enrol again with this version of Sallyport.';
const CERTIFICATE =
  "Ask the device's maker about its TPM certificate, or add the right CA to the gateway's roots.";
const LOG =
  'Restart the device. If it stays, its firmware writes a log that does not match what it measured.';

/** Message and remedy of each code. */
export const TEXTS: Readonly<Record<ReasonCode, readonly [message: string, remedy: string]>> = {
  // Attestation structures (TPMS_ATTEST)
  'attest-truncated': ['A TPM structure ends too early.', FORGED],
  'attest-trailing': ['Bytes follow a TPM structure.', FORGED],
  'attest-magic': ['A structure was not made by a TPM.', FORGED],
  'attest-type': ['A TPM structure is of the wrong type.', FORGED],
  'attest-safe-byte': ["The TPM's clock flag is neither yes nor no.", FORGED],
  'nonce-empty': ['The quote holds no nonce.', UPDATE],
  'nonce-length': ['The nonce in the quote has the wrong length.', UPDATE],
  'nonce-wrong': ['The quote answers another challenge.', AGAIN],
  'selection-none': ['The quote selects no bank of PCRs.', UPDATE],
  'selection-several': ['The quote selects several banks of PCRs.', UPDATE],
  'selection-count': ['The quote claims an impossible number of banks.', FORGED],
  'selection-bank': [
    'The quote is not over the SHA-256 bank.',
    "Switch the TPM's SHA-256 bank on in the firmware.",
  ],
  'selection-empty': ['The quote selects no PCR.', FORGED],
  'selection-subset': ['The quote leaves out PCRs that are asked for.', UPDATE],
  'selection-superset': ['The quote covers PCRs that are not asked for.', UPDATE],
  'pcr-missing': ['The value of a PCR is missing.', UPDATE],
  'pcr-extra': ['There are more PCR values than were quoted.', UPDATE],
  'pcr-length': ['A PCR value has the wrong length.', UPDATE],
  'pcr-digest-length': ["The quote's digest has the wrong length.", FORGED],
  'pcr-digest-mismatch': ['The PCR values are not those that were quoted.', FORGED],
  // Signatures (TPMT_SIGNATURE)
  'signature-truncated': ['A signature ends too early.', FORGED],
  'signature-trailing': ['Bytes follow a signature.', FORGED],
  'signature-scheme': ["A signature is of another scheme than the key's.", FORGED],
  'signature-hash': ['A signature is over a hash that is too weak.', UPDATE],
  'signature-zero': ['A signature holds a number that no signature has.', FORGED],
  'signature-wrong': ['A signature does not fit.', FORGED],
  'signer-other': [
    "The quote was signed by another key than the device's.",
    'Enrol the device again, or attest from the device that was enrolled.',
  ],
  // Public areas (TPMT_PUBLIC)
  'key-truncated': ['A public key ends too early.', FORGED],
  'key-trailing': ['Bytes follow a public key.', FORGED],
  'key-algorithm': [
    'A key is of an algorithm that is not accepted.',
    'Use an RSA 2048 or NIST P-256 or P-384 key.',
  ],
  'key-size': ['A key has a size that is not accepted.', 'Use an RSA 2048 or NIST P-256 or P-384 key.'],
  'key-exponent': ['An RSA key has an unusual exponent.', NEW_KEY],
  'key-off-curve': ['A key is not a point on its curve.', FORGED],
  'key-roca': [
    'The TPM made an RSA key that can be broken (ROCA, CVE-2017-15361).',
    "Install the maker's update for the TPM, or enrol with its ECC key.",
  ],
  'key-reserved-bits': ['A key has reserved attributes.', FORGED],
  'ek-template': ['The endorsement key does not follow a template of the TCG.', UPDATE],
  'ak-not-restricted': ['The attestation key would sign anything.', NEW_KEY],
  'ak-not-fixed-tpm': ['The attestation key can leave its TPM.', NEW_KEY],
  'ak-imported': ['The attestation key was not made in its TPM.', NEW_KEY],
  'ak-decrypts': ['The attestation key also decrypts.', NEW_KEY],
  'ak-cannot-sign': ['The attestation key cannot sign.', NEW_KEY],
  'ak-scheme': ['The attestation key has no fixed, strong signature scheme.', NEW_KEY],
  // Endorsement certificates
  'ek-certificate-missing': [
    'The TPM shows no endorsement certificate.',
    'Ask an admin to pin its endorsement key, where the gateway allows that.',
  ],
  'ek-certificate-malformed': ['The endorsement certificate cannot be read.', CERTIFICATE],
  'ek-certificate-other-key': ['The endorsement certificate is for another key.', CERTIFICATE],
  'ek-certificate-purpose': ['The certificate is not for an endorsement key.', CERTIFICATE],
  'ek-certificate-is-ca': ['The endorsement certificate is one of a CA.', CERTIFICATE],
  'ek-certificate-key-usage': ['The endorsement certificate is for another use of its key.', CERTIFICATE],
  'ek-certificate-no-tpm-name': ['The endorsement certificate names no TPM.', CERTIFICATE],
  'ek-certificate-expired': ['The endorsement certificate, or one of its issuers, has expired.', CERTIFICATE],
  'ek-certificate-not-yet-valid': [
    'The endorsement certificate, or one of its issuers, is not valid yet.',
    CERTIFICATE,
  ],
  'ek-certificate-critical-extension': [
    'The endorsement certificate has a critical extension that is not known.',
    CERTIFICATE,
  ],
  'ek-certificate-signature': [
    'The endorsement certificate is not signed by the issuer it names.',
    CERTIFICATE,
  ],
  'ek-certificate-weak': [
    'The endorsement certificate is signed with an algorithm that is too weak.',
    CERTIFICATE,
  ],
  'ek-certificate-revoked': [
    'The endorsement certificate was revoked by its issuer.',
    'Replace the device or its TPM.',
  ],
  'ek-issuer-not-ca': ['The issuer of the endorsement certificate is no CA.', CERTIFICATE],
  'ek-issuer-path-length': [
    'There are more CAs between the endorsement certificate and its root than the root allows.',
    CERTIFICATE,
  ],
  'ek-chain-untrusted': ['No configured root vouches for the TPM.', CERTIFICATE],
  'ek-revocation-stale': [
    "The issuer's list of revoked certificates is out of date.",
    "Give the gateway the issuer's current list.",
  ],
  // Enrolment
  'token-used': ['The enrolment token was already used, has expired, or was never issued.', NEW_TOKEN],
  'token-elsewhere': [
    'The token is for a connector’s machine and was brought by somebody else, or the other way around.',
    'Ask an admin for a new token: for a connector, it is given to `sallyport connector` with `--tpm-token-file`; for a person’s device, to `sallyport device enrol`.',
  ],
  'ek-enrolled': ['This TPM is enrolled already.', 'Ask an admin to forget the old enrolment first.'],
  'name-taken': [
    'Another TPM is enrolled under this name.',
    'Ask an admin for a token with another name, or to forget the old device.',
  ],
  'challenge-burnt': [
    'The enrolment was already answered, or never begun.',
    'Begin the enrolment again with a new token.',
  ],
  'challenge-expired': [
    'The answer to the enrolment came too late.',
    'Begin the enrolment again with a new token.',
  ],
  'secret-wrong': [
    'The TPM did not find the secret it was sent.',
    'Begin the enrolment again with a new token, on the device whose TPM it is.',
  ],
  // Devices
  'device-unknown': ['The device is not enrolled.', 'Enrol the device.'],
  'device-not-approved': ['The device waits for an admin.', 'Ask an admin to approve the device.'],
  'device-revoked': [
    'The device was revoked.',
    'Ask an admin; the device can come back only by a new enrolment.',
  ],
  'device-of-connector': [
    'The machine is enrolled for a connector, so it is no person’s device.',
    'Enrol another machine; this one attests through its connector.',
  ],
  'connector-other': [
    'The machine is not enrolled for this connector.',
    'Make a token with `sallyport device token --connector NAME` and enrol the machine with it.',
  ],
  // Freshness and relaying
  'quote-replayed': ['The challenge was already answered, or never given to this device.', AGAIN],
  'quote-late': [
    'The answer to the challenge came too late.',
    'Attest again; if it stays, the TPM or the network is too slow.',
  ],
  'evidence-old': ['The quote is older than the last one.', AGAIN],
  'relayed-channel': [
    'The evidence was made for another connection.',
    'Attest without a proxy that opens TLS between the device and the gateway.',
  ],
  'relayed-key': [
    'The evidence is for another key than the session is bound to.',
    'Sign in again on the device.',
  ],
  'relayed-connector': [
    'The evidence is for another key than that of the connector’s certificate.',
    'Run one connector with each state directory; it attests with the certificate it shows.',
  ],
  'connector-unbound': [
    'The evidence was made for a person’s device, not for this connector.',
    'Let the connector attest by itself: name the TPM under `attestation` in its configuration.',
  ],
  'clock-rollback': ["The TPM's clock went back.", 'Enrol the device again.'],
  'reset-rollback': [
    "The TPM's reset counter went back: it was cleared or exchanged.",
    'Enrol the device again.',
  ],
  'clock-unsafe': ['The device was switched off without telling its TPM.', 'Shut the device down properly.'],
  // The key bound to the session
  'bound-key-other': ['The certified key is not the one that was sent.', FORGED],
  'bound-key-is-ak': ['The attestation key cannot be the key of a session.', NEW_KEY],
  'bound-key-attributes': [
    'The key of the session could leave the TPM, or is not one that only signs.',
    NEW_KEY,
  ],
  'certify-old': ["The certification of the session's key answers another challenge.", AGAIN],
  // Event log
  'log-missing': [
    'There is no event log.',
    'Let Sallyport on the device read /sys/kernel/security/tpm0/binary_bios_measurements.',
  ],
  'log-too-large': ['The event log is too large.', LOG],
  'log-truncated': ['The event log ends too early.', LOG],
  'log-malformed': ['The event log does not follow the specification.', LOG],
  'log-swapped': ['The event log is not the one that was quoted.', FORGED],
  'log-mismatch': ['The event log does not lead to the PCRs that were quoted.', LOG],
  'event-type-rewritten': ['An event of the log is not of the type it must be.', FORGED],
  'event-data-rewritten': ['The data of an event is not what was measured.', FORGED],
  // State of the device
  'pcrs-unextended': [
    'The firmware measured nothing into a PCR.',
    "Switch measured boot (TPM) on in the device's firmware.",
  ],
  'secure-boot-off': ['Secure boot is off.', "Switch secure boot on in the device's firmware and restart."],
  'secure-boot-unknown': ['The log does not say whether secure boot is on.', LOG],
  'firmware-debug': [
    'The firmware runs in a debugging mode, or without protection from DMA.',
    "Switch debugging off and DMA protection on in the device's firmware.",
  ],
  'pcr-not-allowed': [
    'What was started is not what is approved for this model.',
    'After a firmware update, ask an admin to approve the new state; otherwise have the device examined.',
  ],
  'firmware-too-old': [
    "The TPM's firmware is older than required.",
    "Install the maker's update for the TPM.",
  ],
  'command-line': [
    'The kernel was started with a command line that is not allowed.',
    'Restart with the approved kernel command line.',
  ],
  'command-line-unknown': [
    'The kernel command line is not among what was measured and quoted.',
    'Start the kernel from a firmware boot entry or as a unified kernel image, or ask an admin to drop this demand.',
  ],
  'baseline-missing': [
    'No baseline is approved for this model.',
    'Ask an admin to learn and approve a baseline from this device.',
  ],
  'endorsement-pinned': [
    'The TPM has no certificate; an admin vouched for its key.',
    'Nothing, if rules allow it; otherwise use a TPM with a certificate.',
  ],
  'posture-missing': [
    'The device has no accepted quote to learn from.',
    'Attest on the device, then learn the baseline again.',
  ],
};
