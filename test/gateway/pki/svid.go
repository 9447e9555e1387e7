// Finds a certificate good, or says why not, with the SPIFFE project's own library: an X509-SVID of a trust domain.
//
//	svid TRUST_DOMAIN BUNDLE.pem < chain.pem
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	domain, err := spiffeid.TrustDomainFromString(os.Args[1])
	fail(err)
	bundle, err := x509bundle.Load(domain, os.Args[2])
	fail(err)
	chain, err := io.ReadAll(os.Stdin)
	fail(err)
	certificates, err := parse(chain)
	fail(err)
	id, _, err := x509svid.Verify(certificates, bundle)
	fail(err)
	fmt.Print(id)
}

func parse(text []byte) (chain []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	return chain, nil
}
