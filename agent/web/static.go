package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

//go:embed static
var statics embed.FS

var types = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// assets are the files of the folder static, by name.
var assets = readAssets()

type served struct {
	content []byte
	version string
}

func readAssets() map[string]served {
	all := map[string]served{}
	entries, err := statics.ReadDir("static")
	if err != nil {
		panic(err) // what is embedded is there
	}
	for _, e := range entries {
		content, err := fs.ReadFile(statics, "static/"+e.Name())
		if err != nil {
			panic(err)
		}
		if types[path.Ext(e.Name())] != "" {
			sum := sha256.Sum256(content)
			all[e.Name()] = served{content, hex.EncodeToString(sum[:6])}
		}
	}
	return all
}

// asset is the address of a file, another one when its content is another.
func asset(name string) string { return "/static/" + assets[name].version + "/" + name }

func static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	a, ok := assets[name]
	if !ok || a.version != r.PathValue("version") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.content)
}
