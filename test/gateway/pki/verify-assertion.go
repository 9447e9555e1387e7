// Checks an assertion from standard input with nothing but Go's standard library: signature, issuer, audience, times.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
	"strings"
)

type key struct{ Kid, X, Y string }

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

func decode(text string) []byte {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		fail("base64: " + err.Error())
	}
	return bytes
}

func number(text string) *big.Int { return new(big.Int).SetBytes(decode(text)) }

func main() {
	file, issuer, audience := os.Args[1], os.Args[2], os.Args[3]
	now, _ := strconv.ParseFloat(os.Args[4], 64)
	text, _ := io.ReadAll(os.Stdin)
	parts := strings.Split(string(text), ".")
	if len(parts) != 3 {
		fail("not a signed token")
	}
	var header struct{ Alg, Typ, Kid string }
	json.Unmarshal(decode(parts[0]), &header)
	if header.Alg != "ES256" || header.Typ != "sallyport-assertion+jwt" {
		fail("header")
	}
	var set struct{ Keys []key }
	content, _ := os.ReadFile(file)
	json.Unmarshal(content, &set)
	signature := decode(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	good := false
	for _, one := range set.Keys {
		public := ecdsa.PublicKey{Curve: elliptic.P256(), X: number(one.X), Y: number(one.Y)}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		good = good || one.Kid == header.Kid && len(signature) == 64 && ecdsa.Verify(&public, digest[:], r, s)
	}
	if !good {
		fail("signature")
	}
	var claims struct {
		Iss, Aud, Sub string
		Nbf, Exp      float64
	}
	json.Unmarshal(decode(parts[1]), &claims)
	if claims.Iss != issuer || claims.Aud != audience || now < claims.Nbf || now >= claims.Exp {
		fail("claims")
	}
	fmt.Println(claims.Sub)
}
