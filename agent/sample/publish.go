package sample

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Sample images are data that other users, OMERO's among them, must read.
const (
	fileMode = 0o644
	dirMode  = 0o755
)

// temporaryBeside is a name in target's folder that no watcher takes for data.
// It does not contain target's own name, which may be as long as a name can be.
func temporaryBeside(target string) string {
	return filepath.Join(filepath.Dir(target), ".sample-"+rand.Text()+".partial")
}

// publishFile has write fill a file beside path and renames it over path, so
// that path is never seen half written. It is on disk before it is renamed.
func publishFile(path string, write func(*bufio.Writer) error) error {
	temporary := temporaryBeside(path)
	err := writeFile(temporary, write)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the sample image %s: %w", path, err), os.RemoveAll(temporary))
	}
	return nil
}

// publishDir has write fill a folder beside dir and renames it to dir, which
// must not exist: otherwise the error wraps fs.ErrExist.
func publishDir(dir string, write func(temporary string) error) error {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fmt.Errorf("writing the sample image %s: %w", dir, err)
	}
	temporary := temporaryBeside(dir)
	err := os.Mkdir(temporary, dirMode)
	if err == nil {
		err = write(temporary)
	}
	if err == nil {
		err = os.Rename(temporary, dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the sample image %s: %w", dir, err), os.RemoveAll(temporary))
	}
	return nil
}

// writeFile makes a new file at path, on disk when it returns.
func writeFile(path string, write func(*bufio.Writer) error) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // writing where the caller says is the job
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<18)
	if err := write(out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return file.Sync()
}

// putPixels encodes pixels as little-endian bytes into buf, which has twice
// their length.
func putPixels(buf []byte, pixels []uint16) {
	for i, v := range pixels {
		binary.LittleEndian.PutUint16(buf[i*bytesPerPixel:], v)
	}
}
