package own_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess/podman/podmantest"
)

// service is a podman service whose images that the Containerfiles start from were made
// of this machine's own programs, without a registry.
type service struct {
	*podmantest.Service

	bin string // a folder for the PATH, where "podman" is the program for its storage
}

func newService(t *testing.T) service {
	t.Helper()
	podmantest.Need(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox, which the image of the shell is made of, is not on this machine")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3, which the image of Python is made of, is not on this machine")
	}
	s := service{Service: podmantest.Start(t), bin: t.TempDir()}
	s.imports(t, "docker.io/library/alpine:3", func(b *base) { b.shell(busybox) })
	s.imports(t, "docker.io/library/python:3-slim", func(b *base) { b.python(python) })
	words := s.Podman().Args
	words[0], err = exec.LookPath("podman")
	require.NoError(t, err)
	wrapper := "#!/bin/sh\nexec '" + strings.Join(words, "' '") + "' \"$@\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(s.bin, "podman"), []byte(wrapper), 0o700))
	return s
}

// script runs commands in a folder, and returns what they wrote to standard output.
func (s service) script(t *testing.T, dir, commands string) string {
	t.Helper()
	cmd := exec.Command("sh", "-euxc", commands)
	cmd.Dir, cmd.Env = dir, s.Podman().Env
	cmd.Env = append(cmd.Env, "PATH="+s.bin+":"+os.Getenv("PATH"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", &stderr, out)
	return string(out)
}

// imports makes an image of what is put into an archive.
func (s service) imports(t *testing.T, image string, fill func(b *base)) {
	t.Helper()
	var archive bytes.Buffer
	b := &base{t: t, archive: tar.NewWriter(&archive), done: map[string]bool{}}
	fill(b)
	require.NoError(t, b.archive.Close())
	cmd := s.Podman("import", "--quiet", "-", image)
	cmd.Stdin = &archive
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// base is an image's files, under the paths that they have on this machine.
type base struct {
	t       *testing.T
	archive *tar.Writer
	done    map[string]bool
}

func (b *base) file(path string) {
	b.t.Helper()
	if b.done[path] {
		return
	}
	b.done[path] = true
	file, err := os.Open(path)
	require.NoError(b.t, err)
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	require.NoError(b.t, err)
	header := &tar.Header{Name: path[1:], Typeflag: tar.TypeReg, Mode: int64(info.Mode().Perm()), Size: info.Size()}
	require.NoError(b.t, b.archive.WriteHeader(header))
	_, err = io.Copy(b.archive, file)
	require.NoError(b.t, err)
}

func (b *base) link(path, to string) {
	b.t.Helper()
	if path == to {
		return
	}
	require.NoError(b.t, b.archive.WriteHeader(&tar.Header{Name: path[1:], Typeflag: tar.TypeSymlink, Linkname: to, Mode: 0o777}))
}

// program adds a program, and the libraries that it is linked with, if any.
func (b *base) program(path string) {
	b.t.Helper()
	b.file(path)
	if strings.HasSuffix(path, ".py") {
		return
	}
	libraries, _ := exec.Command("ldd", path).Output() // it fails for a static program
	for _, library := range regexp.MustCompile(`(?m)(?:^\s*|=> )(/\S+)`).FindAllSubmatch(libraries, -1) {
		b.file(string(library[1]))
	}
}

// shell adds busybox, which is all of the shell in Alpine too.
func (b *base) shell(busybox string) {
	b.t.Helper()
	b.program(busybox)
	for _, name := range []string{"sh", "basename", "cp", "gunzip", "sed"} {
		b.link("/bin/"+name, busybox)
	}
}

// loaded prints the path of Python, and of all that the converter loaded to run here.
const loaded = `
import os, runpy, sys
sys.argv[1:] = ["--inputfile", sys.argv[1]]
runpy.run_path("python/converter.py")
print(os.path.realpath(sys.executable))
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None):
        print(module.__file__)
`

// python adds Python, with as much of its library as the converter needs.
func (b *base) python(python string) {
	b.t.Helper()
	dir := b.t.TempDir()
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "x.csv"), []byte("key,value"), 0o600))
	out, err := exec.Command(python, "-I", "-c", loaded, filepath.Join(dir, "x.tif")).CombinedOutput()
	require.NoError(b.t, err, "%s", out)
	paths := strings.Split(strings.TrimSpace(string(out)), "\n")[1:] // its answer comes first
	for _, path := range paths {
		b.program(path)
	}
	b.link("/bin/python3", paths[0])
}
