package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/initial"
	"biomero-importer/agent/order"
	"biomero-importer/agent/terminal"
	"biomero-importer/configs"
)

type initOptions struct {
	initial.Answers

	force, withPassword bool
}

// question is asked on a terminal where no flag answered it.
type question struct {
	flag, text, preset string
	answer             *string
	asked              func() bool
}

func (o *initOptions) questions() []question {
	always := func() bool { return true }
	omero := func() bool { return o.Backend == string(config.OMERO) }
	return []question{
		{"base-dir", "The shared storage; nothing outside it is ever imported", "/data", &o.BaseDir, always},
		{"database", "Address of the tracking database without a password, or embedded", "embedded", &o.Database, always},
		{"backend", "What imports: omero, or repository to try without OMERO", string(config.Repository), &o.Backend, always},
		{"omero-host", "OMERO's server", "", &o.OMEROHost, omero},
		{"omero-user", "Its account that may act for others (Sudo)", "root", &o.OMEROUser, omero},
		{"managed-repository", "Its managed repository, as it is mounted here and there", "/OMERO/ManagedRepository", &o.Managed, omero},
		{"watch", "A folder to watch; {group}, {user} and {dataset} stand for parts of its path", "", &o.Watch, always},
	}
}

func (a *app) initCommand() *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented settings file, after a few questions",
		Long: `Write a settings file with every setting, its default and what it means, and with what
flags say, or on a terminal the answers to a few questions. Without FILE it is
settings.yml in the working directory. Only its owner can read it. A file that is there
is left alone; with --force it is replaced, and kept under another name.

Passwords are not written: give that of OMERO in OMERO_PASSWORD, and that of the database
in ~/.pgpass or, with its address, in INGEST_TRACKING_DB_URL. With --with-password that
in OMERO_PASSWORD is written all the same.

` + exitCodes,
		Example: `  biomero-importer init /etc/biomero-importer/settings.yml
  biomero-importer init --base-dir /data --watch '/data/{group}/{user}/inbox/{dataset}' settings.yml`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			path := "settings.yml"
			if len(args) == 1 {
				path = args[0]
			}
			if err := a.ask(c, &o); err != nil {
				return err
			}
			return a.runInit(path, &o)
		},
	}
	flags := c.Flags()
	for _, q := range o.questions() {
		flags.StringVar(q.answer, q.flag, "", q.text)
	}
	flags.StringVar(&o.StateDir, "state-dir", "", "Where the service keeps what is its own")
	flags.BoolVar(&o.withPassword, "with-password", false, "write the password that is in OMERO_PASSWORD into the file")
	flags.BoolVar(&o.force, "force", false, "replace a file that is there; it is kept under another name")
	return c
}

// ask asks on a terminal what no flag answered.
func (a *app) ask(c *cobra.Command, o *initOptions) error {
	if f, ok := a.in.(*os.File); !ok || !terminal.Is(f) {
		return nil
	}
	in := bufio.NewReader(a.in)
	for _, q := range o.questions() {
		if c.Flags().Changed(q.flag) || !q.asked() {
			continue
		}
		preset := q.preset
		if q.flag == "watch" {
			preset = filepath.Join(o.BaseDir, "{group}/{user}/inbox/{dataset}")
		}
		if _, err := fmt.Fprintf(a.out, "%s [%s]: ", q.text, preset); err != nil {
			return err
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return order.Errorf(order.Invalid, "no settings were written: the questions were not answered")
		}
		if *q.answer = strings.TrimSpace(line); *q.answer == "" {
			*q.answer = preset
		}
	}
	return nil
}

func (a *app) runInit(path string, o *initOptions) error {
	if o.withPassword {
		password, _ := a.env("OMERO_PASSWORD")
		if password == "" {
			return order.Errorf(order.Invalid, "there is no password in OMERO_PASSWORD to write")
		}
		o.Password = config.Secret(password)
	}
	if o.Backend == "" && o.OMEROHost != "" {
		o.Backend = string(config.OMERO)
	}
	text, err := initial.Settings(configs.Settings, &o.Answers)
	if err != nil {
		return err
	}
	kept, err := a.publishSettings(path, text, o.force)
	if err != nil {
		return err
	}
	if kept != "" {
		_, _ = fmt.Fprintf(a.out, "The file that was there is %s now.\n", kept)
	}
	_, err = fmt.Fprintf(a.out, "%s is written. Check it, as the service's user: biomero-importer doctor --config %s\n", path, path)
	if o.Backend == string(config.OMERO) && o.Password == "" {
		_, err = fmt.Fprintln(a.out, "Give the password of OMERO's account in OMERO_PASSWORD.")
	}
	return err
}

// publishSettings writes a file that loads, whole and for its owner alone. It replaces
// another only if forced, and returns where that is kept.
func (a *app) publishSettings(path, text string, force bool) (kept string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".settings-*.yml") // mode 0600
	if err != nil {
		return "", order.Errorf(order.Invalid, "the settings cannot be written: %w", err)
	}
	defer func() {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	if _, err := config.Load(f.Name(), a.env); err != nil {
		return "", order.Errorf(order.Invalid, "%s", strings.ReplaceAll(err.Error(), f.Name(), path))
	}
	err = os.Link(f.Name(), path) // which replaces nothing
	if !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if !force {
		return "", order.Errorf(order.Invalid, "%s is there already: name another file, or replace it with --force", path)
	}
	if kept, err = keep(path); err != nil {
		return "", err
	}
	return kept, os.Rename(f.Name(), path)
}

// keep gives a file another name, too, that no other has.
func keep(path string) (kept string, err error) {
	for n := 1; ; n++ {
		kept = path + ".old" + strconv.Itoa(n)
		err = os.Link(path, kept)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("keeping the file %s: %w", path, err)
		}
		return kept, nil
	}
}
