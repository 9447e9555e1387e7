// A client whose TLS key is in a TPM: another program's TLS, and OpenSSL's provider to use the key. Prints the status of
// the answer and its body. Arguments: identity.pem, the authority of the server, the address to dial, the URL.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
)

type hardware struct {
	public crypto.PublicKey
	file   string
}

func (h hardware) Public() crypto.PublicKey { return h.public }

func (h hardware) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	sign := exec.Command("openssl", "pkeyutl", "-sign", "-provider", "tpm2", "-provider", "default",
		"-propquery", "?provider=tpm2", "-inkey", h.file)
	sign.Stdin = bytes.NewReader(digest)
	sign.Stderr = os.Stderr
	return sign.Output()
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	identity, authority, address, url := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	var chain [][]byte
	for rest := must(os.ReadFile(identity)); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		} else if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	leaf := must(x509.ParseCertificate(chain[0]))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(authority)))
	config := &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: hardware{leaf.PublicKey, identity}}},
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DialContext: dial}}
	answer := must(client.Get(url))
	fmt.Println(answer.StatusCode)
	must(io.Copy(os.Stdout, answer.Body))
}
