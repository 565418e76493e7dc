// Command converter cuts the bar with the instrument's settings off the foot of a PNG; --bar is its height in pixels.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cut is a picture without its bar.
type cut struct {
	image.Image

	bar int
}

// Bounds are those of what is left.
func (c cut) Bounds() image.Rectangle {
	left := c.Image.Bounds()
	left.Max.Y -= c.bar
	return left
}

func main() {
	args := map[string]string{"bar": "64"}
	for i, arg := range os.Args[:len(os.Args)-1] { // parameters that it does not know do no harm
		if key, ok := strings.CutPrefix(arg, "--"); ok {
			args[key] = os.Args[i+1]
		}
	}
	picture := must(png.Decode(must(os.Open(args["inputfile"]))))
	var made bytes.Buffer
	check(png.Encode(&made, cut{picture, must(strconv.Atoi(args["bar"]))}))
	item := map[string]any{"keyvalues": map[string]string{"bar_cut_off": args["bar"]}}
	item["name"] = strings.TrimSuffix(filepath.Base(args["inputfile"]), ".png") + "-cut.png"
	for key, folder := range map[string]string{"full_path": args["outputfolder"], "alt_path": args["altoutputfolder"]} {
		if folder != "" { // there may be no --altoutputfolder
			path := filepath.Join(folder, fmt.Sprint(item["name"]))
			check(os.WriteFile(path, made.Bytes(), 0o600)) // it becomes readable for all when it is accepted
			item[key] = path
		}
	}
	check(json.NewEncoder(os.Stdout).Encode([]any{item}))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
