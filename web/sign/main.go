// Command sign writes the list of the built web app's files, with its signature,
// beside them. It is the last step of `npm run build`.
//
//	go run ./web/sign [-key FILE] DIST     sign
//	go run ./web/sign -public -key FILE    print the public half, for the linker
//
// FILE is an Ed25519 key in PEM (PKCS #8), as `openssl genpkey -algorithm
// ed25519` makes it. Without one the development key signs.
package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/veche-im/veche/web/sums"
)

func main() {
	log.SetFlags(0)
	file := flag.String("key", "", "")
	public := flag.Bool("public", false, "")
	flag.Parse()
	if err := run(*file, *public, flag.Args()); err != nil {
		log.Fatal("sign: ", err)
	}
}

func run(file string, public bool, args []string) error {
	key, err := readKey(file)
	if err != nil {
		return err
	}
	if public {
		fmt.Println(base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
		return nil
	}
	if len(args) != 1 {
		return errors.New("name the folder of the built web app, and nothing else")
	}
	list, err := sums.List(os.DirFS(args[0]))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(args[0], sums.ListName), list, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], sums.SignatureName), sums.Sign(list, key), 0o644)
}

func readKey(file string) (ed25519.PrivateKey, error) {
	if file == "" {
		return sums.Development, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", file)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no Ed25519 key", file)
	}
	return key, nil
}
