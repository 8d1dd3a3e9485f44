// Verifies `audience token` lines by the page's program: `ok SUBJECT` or `refused` for each.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	jwks, err := os.ReadFile("jwks.json")
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		audience, token, _ := strings.Cut(lines.Text(), " ")
		verifier, err := NewVerifier(jwks, audience)
		if err != nil {
			panic(err)
		}
		if claims, err := verifier.Verify(token); err == nil {
			fmt.Println("ok", claims.Subject)
		} else {
			fmt.Println("refused")
		}
	}
}
