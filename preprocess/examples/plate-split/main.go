package main

import (
	"os"

	"biomero-importer/preprocess/examples/internal/converter"
)

// version is stamped by the build.
var version = "dev"

func main() {
	os.Exit(converter.Program{Name: "plate-split", Version: version, Convert: convert}.Main())
}
