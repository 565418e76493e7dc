package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"biomero-importer/importer"
)

// Config is the backend's settings.
type Config struct {
	Dir string // of the managed repository; made when absent
}

// Repository imports by linking. Its methods may be called concurrently.
type Repository struct {
	dir     *os.Root
	share   *importer.Share
	catalog Catalog
	now     func() time.Time

	mu    sync.Mutex
	last  time.Time // the latest millisecond given to an import
	users map[string]int64
}

// Open opens the repository, and makes its folder when it is absent.
func Open(c Config, share *importer.Share, catalog Catalog, now func() time.Time) (*Repository, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // OMERO's users and server read it
		return nil, fmt.Errorf("making the repository %s: %w", c.Dir, err)
	}
	dir, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the repository %s: %w", c.Dir, err)
	}
	return &Repository{dir: dir, share: share, catalog: catalog, now: now, users: map[string]int64{}}, nil
}

// Close releases the repository's folder.
func (r *Repository) Close() error { return r.dir.Close() }

// Container finds a container by name, or makes it.
func (r *Repository) Container(ctx context.Context, c importer.Container) (int64, error) {
	return r.catalog.Container(ctx, c)
}

// Import links the request's files into the repository and records them. It
// returns one result per file. The catalog comes first and a link that is
// there already is left alone, so a request repeated after a crash ends in the
// same filesets and links.
func (r *Repository) Import(ctx context.Context, req importer.Request) ([]importer.Result, error) {
	results := make([]importer.Result, len(req.Files))
	var sources []Source
	owner := map[string][]int{} // source path → files of the request that hold it
	links := map[string]int{}
	images := 0
	checker := r.share.Checker()
	defer checker.Close()
	for i, file := range req.Files {
		found, err := r.sources(ctx, checker, req, file)
		if images += countImages(found); err == nil && images > importer.MaxImages {
			err = &importer.Error{Reason: fmt.Sprintf("With %q the order holds more than %d images: order fewer at a time.", file, importer.MaxImages)}
		}
		if err != nil {
			results[i].Err = err
			continue
		}
		for _, s := range found {
			if _, known := owner[s.Path]; !known {
				s.Link = unique(links, s.Link)
				sources = append(sources, s)
			}
			if of := owner[s.Path]; len(of) == 0 || of[len(of)-1] != i { // a folder may link to a file twice
				owner[s.Path] = append(of, i)
			}
		}
	}
	if len(sources) == 0 {
		return results, nil
	}
	filesets, err := r.record(ctx, req, sources)
	if err != nil {
		return nil, err
	}
	linker := linker{dir: r.dir}
	defer linker.close()
	for _, fs := range filesets {
		err := linker.link(fs.Link, fs.Source)
		if importer.IsUnusable(err) {
			err = &importer.Error{Reason: fmt.Sprintf("%q cannot be linked beside the order's other files under that name: rename it.", fs.Source), Err: err}
		}
		for _, i := range owner[fs.Source] {
			if err != nil {
				results[i].Err = err
				continue
			}
			results[i].Filesets = append(results[i].Filesets, fs.ID)
			results[i].Images = append(results[i].Images, fs.Images...)
			results[i].Plates = append(results[i].Plates, fs.Plates...)
		}
	}
	return results, nil
}

func countImages(sources []Source) (n int) {
	for i := range sources {
		n += len(sources[i].Images)
	}
	return n
}

// record finds a prefix that no other import has.
func (r *Repository) record(ctx context.Context, req importer.Request, sources []Source) ([]Fileset, error) {
	user, err := r.user(ctx, req.User)
	if err != nil {
		return nil, err
	}
	for {
		filesets, err := r.catalog.Record(ctx, Import{
			Order: req.Order, Round: req.Round, User: req.User, Group: req.Group, Type: req.Type, Container: req.Container,
			Prefix:  fmt.Sprintf("%s_%d/%s", sanitise(req.User), user, r.tick().Format("2006-01/02/15-04-05.000")),
			Sources: sources,
		})
		if !errors.Is(err, ErrPrefixTaken) {
			return filesets, err
		}
	}
}

// maxUsers bounds the ids that are remembered; names come from strangers.
const maxUsers = 10_000

// user is the id of a user, which never changes.
func (r *Repository) user(ctx context.Context, name string) (int64, error) {
	r.mu.Lock()
	id, known := r.users[name]
	r.mu.Unlock()
	if known {
		return id, nil
	}
	id, err := r.catalog.User(ctx, name)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.users) >= maxUsers {
		clear(r.users)
	}
	r.users[name] = id
	return id, nil
}

// tick is the time in milliseconds, later than any that it returned before, so
// that two imports of one process seldom ask the catalog for the same prefix.
func (r *Repository) tick() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now().UTC().Truncate(time.Millisecond)
	if !now.After(r.last) {
		now = r.last.Add(time.Millisecond)
	}
	r.last = now
	return now
}

// sources is what a file or folder of a request holds, by path.
func (r *Repository) sources(ctx context.Context, checker *importer.Checker, req importer.Request, file string) ([]Source, error) {
	_, info, err := checker.Check(file)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return single(req, file)
	}
	if importer.IsZarr(file) {
		return r.zarr(ctx, req, file)
	}
	return r.folder(ctx, checker, req, file)
}

func single(req importer.Request, file string) ([]Source, error) {
	link, err := linkName(req.Parent, file)
	if err != nil {
		return nil, err
	}
	return []Source{{Path: file, Link: link, Images: []string{path.Base(file)}}}, nil
}

func linkName(parent, file string) (string, error) {
	rel, err := filepath.Rel(parent, file)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "", fmt.Errorf("%s is not below %s", file, parent)
	}
	parts := strings.Split(rel, "/")
	for i := range parts {
		parts[i] = sanitise(parts[i])
	}
	return path.Join(parts...), nil
}
