package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"biomero-importer/agent/config"
	"biomero-importer/agent/doctor"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/preprocess"
)

// examine makes the checks. A returned error is one of the audit itself.
func (a *app) examine(ctx context.Context, o doctorOptions, c *checkup) error {
	settings, err := config.Load(a.settings, a.env)
	detail := a.settings
	if detail == "" {
		detail = "the defaults and the environment"
	}
	c.put(doctor.Of("settings", detail, err, "Correct it there; configs/settings.yml documents every setting, and `biomero-importer init` writes a file to begin with."))
	if err != nil {
		return nil //nolint:nilerr // it is told as a check
	}
	share, err := importer.OpenShare(settings.BaseDir)
	if err == nil {
		err = share.Close()
	} else {
		err = &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	c.put(doctor.Of("base_dir", settings.BaseDir, err, "Mount the share there, or give its folder in base_dir."))
	if err == nil {
		c.share(ctx, settings)
	}
	c.put(doctor.Writable("state_dir", settings.StateDir, "state_dir"))
	c.put(doctor.Space("state_dir space", settings.StateDir))
	c.put(doctor.Writable("logs", settings.OrderLogs(), "log_file_path"))
	works := slices.Contains(settings.Roles, config.Work)
	if works {
		c.podman(ctx, &settings.Podman)
		c.notified(ctx, settings)
	}
	there := unread
	if settings.Backend == config.Repository {
		there = c.repository(settings)
	} else if works {
		c.omero(ctx, settings)
	}
	return a.examineDatabase(ctx, o, c, settings, there)
}

// examineDatabase makes the checks of the database, and the audit that was asked for.
func (a *app) examineDatabase(ctx context.Context, o doctorOptions, c *checkup, settings *config.Config, there presence) error {
	if settings.Database.Embedded && doctor.Missing(filepath.Join(settings.StateDir, "postgres")) {
		c.put(doctor.Well("database", "the embedded one, which is made at the first start"))
		return nil
	}
	var fault error
	err := a.inStore(ctx, settings, func(ctx context.Context, store *tracking.Store) error {
		server, tables, err := store.Version(ctx)
		c.put(doctor.Of("database", fmt.Sprintf("PostgreSQL %s, version %d of the tables", server, tables), err, databaseFix(err)))
		if err == nil {
			c.rights(ctx, store)
			c.clock(ctx, store)
		}
		if err == nil && o.audit {
			c.Audit = &audit{most: o.most, repository: there}
			fault = doctor.Denied(c.Audit.run(ctx, store, settings))
			if c.Audit.Complete = fault == nil; fault != nil {
				c.Audit.Error = logging.Mask(fault.Error())
			}
		}
		return nil
	})
	if err != nil {
		c.put(doctor.Of("database", "", err, databaseFix(err)))
	}
	return fault
}

// databaseFix says what to do by the kind of fault.
func databaseFix(err error) string {
	switch order.ClassOf(err) {
	case order.Busy:
		return "Start the database server, let it be reached from here, or correct its address in ingest_tracking_db."
	case order.Denied:
		return "Correct user and password in ingest_tracking_db, and have the account admitted by the server (pg_hba.conf)."
	default:
		return "Make the database, or correct its name in ingest_tracking_db; `biomero-importer migrate` makes its tables."
	}
}

// rights looks at what the database's account may do.
func (c *checkup) rights(ctx context.Context, store *tracking.Store) {
	lacked, err := store.LackedRights(ctx)
	if len(lacked) > 0 {
		err = fmt.Errorf("the service's account lacks %s", strings.Join(lacked, ", "))
	}
	c.put(doctor.Of("database rights", "the account may read and write what clients do", err,
		"Have the owner of the tables GRANT them to it."))
}

// clock compares the database's clock with ours.
func (c *checkup) clock(ctx context.Context, store *tracking.Store) {
	before := time.Now()
	theirs, err := store.Clock(ctx)
	if err != nil {
		c.put(doctor.Of("database clock", "", err, ""))
		return
	}
	c.put(doctor.Clock("database clock", "the database", theirs, before, time.Now()))
}

// share looks at the share as far as the roles need it.
func (c *checkup) share(ctx context.Context, settings *config.Config) {
	c.put(doctor.Space("base_dir space", settings.BaseDir))
	c.put(doctor.ShareClock(settings.BaseDir, time.Now))
	if slices.Contains(settings.Roles, config.Watch) {
		c.put(doctor.Receipts(settings.BaseDir))
		c.watched(ctx, settings)
	}
}

// watched looks for the folders that the rules spell out, what lies below them may come
// later, and for what the kernel needs to tell of changes there.
func (c *checkup) watched(ctx context.Context, settings *config.Config) {
	var roots, listened []string
	for _, rule := range settings.Rules {
		root := rule.Path
		if spelled, _, captures := strings.Cut(root, "{"); captures {
			root = filepath.Dir(spelled)
		}
		if !slices.Contains(listened, root) && doctor.Listens(root, rule.Mode) {
			listened = append(listened, root)
		}
		if slices.Contains(roots, root) {
			continue
		}
		roots = append(roots, root)
		_, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrNotExist) {
			err = &order.Error{Class: order.Invalid, Reason: "the watched folder " + root + " is not there", Err: err}
		}
		c.put(doctor.Of("watch", root, doctor.Denied(err), "Make it, mount it, give the service's user the right to read it, or correct the rule's path."))
		if err == nil {
			c.put(doctor.Filesystem(root, rule.Mode))
		}
	}
	limits, err := doctor.ReadLimits("/proc")
	if err != nil {
		c.put(doctor.Unseen("inotify", err.Error()))
		return
	}
	bound, cancel := context.WithTimeout(ctx, doctor.CountTime)
	defer cancel()
	const most = 1_000_000
	folders, complete := doctor.Folders(bound, outermost(listened), most)
	c.put(doctor.Inotify(limits, len(roots), folders, complete))
}

// outermost are the folders that lie in none of the others.
func outermost(dirs []string) []string {
	return slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool {
		return slices.ContainsFunc(dirs, func(other string) bool { return strings.HasPrefix(dir, strings.TrimSuffix(other, "/")+"/") })
	})
}

// podman asks the service that runs converters. Where the settings name none there need
// not be one.
func (c *checkup) podman(ctx context.Context, p *config.Podman) {
	c.put(doctor.Writable("podman.temp_dir", p.TempDir, "podman.temp_dir"))
	c.put(doctor.Space("podman.temp_dir space", p.TempDir))
	const start = "On the machine that is to run converters: systemctl enable --now podman.socket; name its socket in podman.socket."
	client, err := converters(p, "doctor", slog.New(slog.DiscardHandler))
	if err != nil {
		c.put(doctor.Of("podman", "", err, "Correct the block podman of the settings."))
		return
	}
	defer func() { _ = client.Close() }()
	status, err := client.Status(ctx)
	service := "version " + status.Version + " at " + logging.Mask(status.Socket)
	lacks := "its host cannot limit " + strings.Join(status.Missing, ", ")
	const delegate = "Have the host delegate these cgroup controllers to podman, or run podman as root."
	switch {
	case errors.Is(err, preprocess.ErrUnavailable) && p.Socket == "":
		c.put(doctor.Well("podman", "none answers: orders that ask for preprocessing wait for it"))
	case errors.Is(err, preprocess.ErrUnavailable):
		c.put(doctor.Of("podman", "", &order.Error{Class: order.Busy, Reason: err.Error(), Err: err}, start))
	case err != nil:
		c.put(doctor.Of("podman", "", err, start))
	case len(status.Missing) == 0:
		c.put(doctor.Well("podman", service))
	case p.Strict:
		c.put(doctor.Of("podman", "", &order.Error{Class: order.Invalid, Reason: lacks + ", which podman.strict asks for: no converter runs"}, delegate))
	default:
		c.put(doctor.Noticed("podman", service+"; "+lacks, delegate))
	}
}

// omero asks OMERO, and looks at its repository. That the server sees base_dir can only be
// tried.
func (c *checkup) omero(ctx context.Context, settings *config.Config) {
	o := &settings.OMERO
	managed := doctor.Writable("omero.managed_repository", o.Managed, "omero.managed_repository")
	if managed.OK && doctor.Missing(o.Managed) {
		managed = doctor.Of(managed.Name, "", &order.Error{Class: order.Invalid, Reason: o.Managed + " is not there"},
			"Mount the server's managed repository at the path that it has there, and name that in omero.managed_repository.")
	}
	c.put(managed)
	if managed.OK {
		c.put(doctor.Space("omero.managed_repository space", o.Managed))
	}
	c.put(doctor.Apart("omero mounts", o.Managed, settings.BaseDir))
	c.put(doctor.Unseen("omero server", "whether it has "+settings.BaseDir+" at the same path cannot be seen from here: `biomero-importer selftest` tries it"))
	const login = "Correct the block omero of the settings, and give its password in OMERO_PASSWORD."
	err := withOMERO(ctx, settings, slog.New(slog.DiscardHandler), func(b *omero.Backend) error {
		err := b.Ping(ctx)
		c.put(doctor.Of("omero", fmt.Sprintf("%s answers and takes the account %s", o.Host, o.User), outcome(err), login))
		if err == nil {
			c.put(doctor.Of("omero sudo", "the account may act for others", outcome(b.Sudo(ctx)),
				"Have an administrator of OMERO give "+o.User+" the privilege Sudo."))
			c.put(mounted(ctx, b, o.Managed))
		}
		return nil
	})
	if err != nil {
		c.put(doctor.Of("omero", "", err, login))
	}
}

// presence says what is known of the repository's folder.
type presence int

const (
	unread  presence = iota // it cannot be read, or nothing imports into it
	absent                  // it is not there
	present                 // it can be read
)

// repository looks at the folder of the repository.
func (c *checkup) repository(settings *config.Config) presence {
	dir := settings.Repository.Dir
	if doctor.Missing(dir) {
		c.put(doctor.Writable("repository", dir, "repository.dir"))
		return absent
	}
	if _, err := os.ReadDir(dir); err != nil {
		c.put(doctor.Of("repository", "", doctor.Denied(err), "Give the service's user the right to read it, or name another folder in repository.dir."))
		return unread
	}
	c.put(doctor.Writable("repository", dir, "repository.dir"))
	return present
}

// mounted asks OMERO where its repositories are.
func mounted(ctx context.Context, b *omero.Backend, managed string) doctor.Finding {
	const name = "omero repository"
	found, err := b.Repositories(ctx)
	if err != nil {
		return doctor.Of(name, "", outcome(err), "Look at the server's log.")
	}
	return doctor.Mounted(name, managed, found)
}
