// Checks an assertion from standard input with Go's library for JOSE: by the key set as it is published, for one app.
//
//	jwt JWKS.json ISSUER AUDIENCE
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	fail(err)
	var keys jose.JSONWebKeySet
	fail(json.Unmarshal(text, &keys))
	token, err := io.ReadAll(os.Stdin)
	fail(err)
	parsed, err := jwt.ParseSigned(string(token), []jose.SignatureAlgorithm{jose.ES256})
	fail(err)
	var claims jwt.Claims
	fail(parsed.Claims(keys, &claims))
	expected := jwt.Expected{Issuer: os.Args[2], AnyAudience: jwt.Audience{os.Args[3]}, Time: time.Now()}
	fail(claims.ValidateWithLeeway(expected, 0))
	fmt.Print(claims.Subject)
}
