package omero_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"biomero-importer/importer/omero"
)

func TestMain(m *testing.M) {
	*omero.ServerTime = 2 * time.Second // the pretended one is quick
	goleak.VerifyTestMain(m)
}
