package omero_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"biomero-importer/importer/omero/cli"
)

// guarded is the first argument of this program when it is to be a guard.
const guarded = "guard-of-tests"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guarded {
		exit, err := cli.Guard(os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			exit = 1
		}
		os.Exit(exit)
	}
	goleak.VerifyTestMain(m)
}
