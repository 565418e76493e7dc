package repository

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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
	opened  *os.File        // dir once more, which does not give its descriptor
	at      syscall.RawConn // of opened
	share   *importer.Share
	catalog Catalog
	now     func() time.Time

	tag string // tells this process from others

	mu      sync.Mutex
	last    time.Time // the latest millisecond given to an import
	crowded time.Time // until then others import at the same moments
	users   map[string]int64
}

// Open opens the repository, and makes its folder when it is absent.
func Open(c Config, share *importer.Share, catalog Catalog, now func() time.Time) (*Repository, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // OMERO's users and server read it
		return nil, fmt.Errorf("making the repository %s: %w", c.Dir, err)
	}
	dir, err := os.OpenRoot(filepath.Clean(c.Dir))
	if err != nil {
		return nil, fmt.Errorf("opening the repository %s: %w", c.Dir, err)
	}
	opened, err := dir.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the repository %s: %w", c.Dir, err), dir.Close())
	}
	at, err := opened.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the repository %s: %w", c.Dir, err), opened.Close(), dir.Close())
	}
	return &Repository{dir: dir, opened: opened, at: at, share: share, catalog: catalog, now: now, tag: strings.ToLower(rand.Text()[:6]), users: map[string]int64{}}, nil
}

// Close releases the repository's folder.
func (r *Repository) Close() error {
	return errors.Join(r.opened.Close(), r.dir.Close())
}

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
			err = &importer.Error{Reason: fmt.Sprintf("With %q the order holds more than %d images: order fewer at a time.", file.Path, importer.MaxImages)}
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
	linker := linker{dir: r.dir, at: r.at}
	defer linker.close()
	for _, fs := range filesets {
		file := &req.Files[owner[fs.Source][0]]
		err := linker.link(fs.Link, fs.Source, copyOf(file, fs.Source))
		if importer.IsUnusable(err) && r.hasPrefixOf(fs.Link) {
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
			if folder := r.folderOf(fs.Link); file.Copy != "" && !slices.Contains(results[i].Folders, folder) {
				results[i].Folders = append(results[i].Folders, folder)
			}
		}
	}
	return results, nil
}

// Prepare does nothing: here everybody may import into everything.
func (r *Repository) Prepare(context.Context, importer.Order) (mark string, err error) {
	return "", nil
}

// Done does nothing: an order holds nothing here.
func (r *Repository) Done(context.Context, string) {}

// Folders hold the links of all that an order has imported.
func (r *Repository) Folders(ctx context.Context, order importer.Order) (folders []string, err error) {
	links, err := r.catalog.Links(ctx, order.UUID)
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		folder := r.folderOf(link)
		if _, err := os.Lstat(folder); err == nil { // or it was never made
			folders = append(folders, folder)
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders), nil
}

// hasPrefixOf tells whether the folder is there that an import has for itself, in which a
// link is made: or else no name of a file is to blame.
func (r *Repository) hasPrefixOf(link string) bool {
	const prefix = 4 // parts: user, month, day and moment, see record
	parts := strings.SplitN(link, "/", prefix+1)
	info, err := r.dir.Lstat(path.Join(parts[:len(parts)-1]...))
	return err == nil && info.IsDir()
}

// folderOf is the folder of a link.
func (r *Repository) folderOf(link string) string { return filepath.Join(r.dir.Name(), path.Dir(link)) }

// copyOf is where a source of a file is read that has a copy, or is empty.
func copyOf(file *importer.File, source string) string {
	if file.Copy == "" {
		return ""
	}
	return file.Copy + strings.TrimPrefix(source, file.Path)
}

func countImages(sources []Source) (n int) {
	for i := range sources {
		n += len(sources[i].Images)
	}
	return n
}

// record finds a prefix that no other import has.
func (r *Repository) record(ctx context.Context, req importer.Request, sources []Source) ([]Fileset, error) {
	for {
		user, err := r.user(ctx, req.User)
		if err != nil {
			return nil, err
		}
		filesets, err := r.catalog.Record(ctx, Import{
			Order: req.UUID, Round: req.Round, User: req.User, UserID: user, Group: req.Group, Type: req.Type, Container: req.Container,
			Prefix:  fmt.Sprintf("%s_%d/%s", sanitise(req.User), user, r.moment()),
			Sources: sources,
		})
		if !errors.Is(err, ErrPrefixTaken) {
			return filesets, err
		}
		r.forget(req.User)
	}
}

// crowdedTime is for how long a process that met another's prefix keeps to its own.
const crowdedTime = 10 * time.Second

// moment is the last part of a prefix: the time, as OMERO's template has it. Where
// other agents import for the same user at the same moments it is told from theirs.
func (r *Repository) moment() string {
	tick, crowded := r.tick()
	text := tick.Format("2006-01/02/15-04-05.000")
	if crowded {
		text += "-" + r.tag
	}
	return text
}

// maxUsers bounds the ids that are remembered; names come from strangers.
const maxUsers = 10_000

// user is the id of a user. It may be one that the catalog no longer knows, after
// another server took over that lacks what was last written: see forget.
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

// forget has the user's id asked for anew, and keeps to prefixes of this process's own
// for a while: either can be why the last one was refused.
func (r *Repository) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.users, name)
	r.crowded = r.last.Add(crowdedTime)
}

// tick is the time in milliseconds, later than any that it returned before, so
// that two imports of one process seldom ask the catalog for the same prefix.
func (r *Repository) tick() (tick time.Time, crowded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now().UTC().Truncate(time.Millisecond)
	if !now.After(r.last) {
		now = r.last.Add(time.Millisecond)
	}
	r.last = now
	return now, now.Before(r.crowded)
}

// sources is what a file or folder of a request holds, by path.
func (r *Repository) sources(ctx context.Context, checker *importer.Checker, req importer.Request, file importer.File) ([]Source, error) {
	// The caller has checked it. What is still a plain file needs no second look at all
	// its folders: a link to it is resolved when somebody reads it.
	if info, err := os.Lstat(file.Path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		return single(req, file)
	}
	_, info, err := checker.Check(file.Path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return single(req, file)
	}
	if importer.IsZarr(file.Path) {
		return r.zarr(ctx, req, file)
	}
	return r.folder(ctx, checker, req, file.Path)
}

func single(req importer.Request, file importer.File) ([]Source, error) {
	link, err := linkName(req.Parent, file.Path)
	if err != nil {
		return nil, err
	}
	return []Source{{Path: file.Path, Link: link, Images: []string{cmp.Or(file.Name, path.Base(file.Path))}}}, nil
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
