package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/config"
	"biomero-importer/agent/health"
	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// watcher makes the watcher of all rules, and the intake that it feeds.
func (s *service) watcher() (*intake.Intake, *watcher.Watcher, error) {
	c := s.config
	ignore := ignoring(c)
	ignored, err := watcher.Ignored(ignore)
	if err != nil {
		return nil, nil, &order.Error{Class: order.Invalid, Reason: "ignore: " + err.Error(), Err: err}
	}
	settings := intake.Config{Ignored: ignored, ManifestTimeout: c.ManifestTimeout, FullScan: c.FullScan, PathMap: c.Legacy.PathMap, CoreGroups: c.Legacy.CoreGroups, Recorded: s.metrics.Recorded}
	options := watcher.Options{Ignore: ignore, FullScan: c.FullScan, ScanRate: c.ScanRate, Log: s.log, Observer: s.metrics.Watcher()}
	for i := range c.Rules {
		rule := &c.Rules[i]
		taken := intake.Rule{Path: rule.Path, Settle: rule.Settle, AllowAnyUser: rule.AllowAnyUser, OnChange: rule.OnChange}
		if rule.Order != nil {
			taken.Order, taken.Priority = rule.Order.Expand, rule.Order.Priority
		}
		if rule.Converter != nil || len(rule.ByExtension) > 0 {
			taken.Converter = rule.ConverterOf
		}
		settings.Rules = append(settings.Rules, taken)
		options.Rules = append(options.Rules, watcher.Rule{
			Path: rule.Path, Settle: rule.Settle, Unit: units[rule.Unit], Include: rule.Include, Exclude: rule.Exclude,
			Control: order.ManifestGlobs, ControlOnly: rule.Order == nil,
			Mode: modes[rule.Mode], ScanInterval: rule.ScanInterval, DoneMarker: rule.DoneMarker,
		})
	}
	if c.Legacy.Folder != "" {
		path := filepath.Join(c.Legacy.Root, "{group}", c.Legacy.Folder)
		settings.Rules = append(settings.Rules, intake.Rule{Path: path, Settle: legacySettle, Legacy: true})
		options.Rules = append(options.Rules, watcher.Rule{
			Path: path, Control: []string{order.LegacyGlob}, ControlOnly: true, ScanInterval: c.ScanInterval,
		})
	}
	var watch *watcher.Watcher
	settings.Measure = func(ctx context.Context, path string) (watcher.Drop, bool, error) { return watch.Measure(ctx, path) }
	in := intake.New(settings, s.store, s.share, s.images, s.log)
	if watch, err = watcher.New(options, in); err != nil {
		return nil, nil, &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	return in, watch, nil
}

// ignoring is what is never a drop: what the settings say, and what converters make,
// which would be converted again and again.
func ignoring(c *config.Config) []string {
	patterns := c.Ignore
	if patterns == nil {
		patterns = watcher.DefaultIgnore
	}
	escaped := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(c.ProcessedFolder)
	if slices.Contains(patterns, escaped) {
		return patterns
	}
	return append(slices.Clone(patterns), escaped)
}

// watch takes drops for as long as no other agent on this database does so
// under the same rules.
func (s *service) watch(ctx context.Context) error {
	name := watchName(s.config)
	waiting := false
	for ; ctx.Err() == nil; pause(ctx) {
		hold, err := s.store.Hold(ctx, name)
		if err != nil {
			if errors.Is(err, tracking.ErrHeld) {
				s.state.Set(health.Watcher, health.Standby, "")
			} else {
				s.state.Set(health.Watcher, health.Waiting, databaseAway)
			}
			if !waiting && ctx.Err() == nil {
				s.log.InfoContext(ctx, "not watching yet", slog.Any("reason", err))
			}
			waiting = true
			continue
		}
		s.log.InfoContext(ctx, "watching", slog.Int("rules", len(s.config.Rules)))
		err = s.watchWhile(ctx, hold)
		_ = hold.Release(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		waiting = false
	}
	return nil
}

// watchName is the same for agents that watch the same.
func watchName(c *config.Config) string {
	parts := []string{"watch", c.BaseDir, c.Legacy.Root, c.Legacy.Folder}
	for i := range c.Rules {
		parts = append(parts, c.Rules[i].Path)
	}
	return strings.Join(parts, "\n")
}

// watchWhile takes drops until the lock is lost or ctx ends.
func (s *service) watchWhile(ctx context.Context, hold *tracking.Hold) error {
	in, watch, err := s.watcher()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.state.watcher.Store(watch)
	defer s.state.watcher.Store(nil)
	s.state.Set(health.Watcher, health.Ready, "")
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return watch.Run(ctx) })
	parts.Go(func() error { return in.Run(ctx) })
	parts.Go(func() error {
		defer cancel()
		for pause(ctx) {
			if err := hold.Check(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "no longer watching", slog.Any("error", err))
				return nil
			}
		}
		return nil
	})
	return parts.Wait()
}

// pause waits for a second and reports whether ctx still holds.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// legacySettle is how long files named by a legacy order must not change. Most
// have been there for long; those that are still being copied are waited for.
const legacySettle = 3 * time.Second

var modes = map[config.Mode]watcher.Mode{
	config.AutoMode: watcher.ModeAuto, config.Events: watcher.ModeEvents, config.Scan: watcher.ModeScan, config.Both: watcher.ModeBoth,
}

var units = map[config.Unit]watcher.Unit{
	config.Auto: watcher.Auto, config.File: watcher.File, config.Folder: watcher.Folder,
}
