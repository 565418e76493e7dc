package main

import (
	"context"
	"flag"
	"os"

	"biomero-importer/preprocess/examples/internal/converter"
)

// version is stamped by the build.
var version = "dev"

func main() {
	var tile int
	os.Exit(converter.Program{
		Name: "tiff-pyramid", Version: version,
		Flags: func(flags *flag.FlagSet) {
			flags.IntVar(&tile, "tilesize", 256, "the side of the tiles, a multiple of 16")
		},
		Convert: func(ctx context.Context, job *converter.Job) ([]converter.Item, error) {
			return convert(ctx, job, tile)
		},
	}.Main())
}
