// The omero executable of the test double; package omerotest builds it. It finds
// the server that it belongs to by its own place.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"biomero-importer/importer/omero/omerotest/internal/cli"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

func main() {
	status, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "omerotest:", err)
		status = 99
	}
	os.Exit(status) //nolint:forbidigo // main exits
}

func run() (int, error) {
	executable, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir := filepath.Dir(filepath.Dir(executable))
	store, err := server.Open(filepath.Join(dir, "server"))
	if err != nil {
		return 0, err
	}
	return cli.Run(cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Store: store, Repository: filepath.Join(dir, "repository"), Home: filepath.Join(dir, "home"),
	}), nil
}
