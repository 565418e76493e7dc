package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

const (
	filesPerFolder = 100
	writers        = 2
)

// tree is n files, a hundred to a folder.
type tree struct {
	root string
	n    int
}

func (t tree) path(i int) string {
	return filepath.Join(t.root, fmt.Sprintf("%05d", i/filesPerFolder), fmt.Sprintf("img%07d.tif", i))
}

func (t tree) paths() []string {
	list := make([]string, t.n)
	for i := range list {
		list[i] = t.path(i)
	}
	return list
}

func (t tree) folders() []string {
	var list []string
	for i := 0; i < t.n; i += filesPerFolder {
		list = append(list, filepath.Dir(t.path(i)))
	}
	return list
}

func (t tree) makeFolders() error {
	for _, folder := range t.folders() {
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) write(ctx context.Context, content []byte) error {
	return write(ctx, t.n, t.path, content)
}

// write makes n files of the same content, and the folders that hundreds of
// them share.
func write(ctx context.Context, n int, path func(i int) string, content []byte) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for first := 0; first < n; first += filesPerFolder {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(path(first)), 0o750); err != nil {
				return err
			}
			for i := first; i < min(first+filesPerFolder, n); i++ {
				if err := os.WriteFile(path(i), content, 0o600); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
