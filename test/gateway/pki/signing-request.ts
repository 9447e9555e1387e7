// PKCS#10 requests, as whoever wants a certificate sends one.
// The container of extensions inside @peculiar/x509 wants this polyfill to be there first.
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { newKeys } from '#test/gateway/identity/service-certificates';

export async function requestFor(namedCurve = 'P-256'): Promise<string> {
  const made = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whoever-it-says',
    keys: await newKeys(namedCurve),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return made.toString('pem');
}
