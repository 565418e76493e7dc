package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"biomero-importer/agent/config"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/terminal"
	"biomero-importer/agent/tracking"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the service until it is told to stop",
		Long: `Run the service. SIGTERM or SIGINT stops it: running orders may finish within
shutdown_timeout, and a second signal cancels them. What was cancelled, or
interrupted by a crash, is resumed at the next start.

` + exitCodes,
		Example: `  biomero-importer run --config /etc/biomero-importer/settings.yml`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := config.Load(a.settings, a.env)
			if err != nil {
				return err
			}
			log, closeLog, err := openLog(settings, a.err)
			if err != nil {
				return err
			}
			keepRoom()
			err = serve(c.Context(), settings, log, a.abort, nil)
			if err != nil {
				log.ErrorContext(c.Context(), "stopped by a fault", slog.Any("error", err))
			}
			_ = closeLog()
			return err
		},
	}
}

// openLog logs for people when stderr is a terminal, and otherwise as JSON
// into the log file, or to stderr where none is set.
func openLog(c *config.Config, stderr io.Writer) (log *slog.Logger, closeLog func() error, err error) {
	if terminal.Is(stderr) {
		return logging.Terminal(stderr, c.Log.Level), func() error { return nil }, nil
	}
	if c.Log.File == "" {
		return logging.JSON(stderr, c.Log.Level), func() error { return nil }, nil
	}
	f, err := logging.OpenFile(c.Log.File)
	if err != nil {
		return nil, nil, err
	}
	return logging.JSON(f, c.Log.Level), f.Close, nil
}

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to this version",
		Long: `Bring the database to this version: the tables that clients share, and ours.
Harmless to repeat, and to run beside other agents. The service does it itself at
its start unless ADI_RUN_MIGRATIONS is false.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := config.Load(a.settings, a.env)
			if err != nil {
				return err
			}
			return withDatabase(c.Context(), settings, a.quietLog(settings), func(ctx context.Context, url string) error {
				if err := tracking.Migrate(ctx, url, a.quietLog(settings)); err != nil {
					return err
				}
				_, err := fmt.Fprintln(a.out, "The database is up to date.")
				return err
			})
		},
	}
}

// quietLog is for commands whose output is their answer: warnings only.
func (a *app) quietLog(c *config.Config) *slog.Logger {
	return logging.Terminal(a.err, max(c.Log.Level, slog.LevelWarn))
}
