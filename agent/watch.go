package main

import (
	"path/filepath"
	"time"

	"biomero-importer/agent/config"
	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/watcher"
)

// watcher makes the watcher of all rules, and the intake that it feeds.
func (s *service) watcher() (*intake.Intake, *watcher.Watcher, error) {
	c := s.config
	ignored, err := watcher.Ignored(c.Ignore)
	if err != nil {
		return nil, nil, &order.Error{Class: order.Invalid, Reason: "ignore: " + err.Error(), Err: err}
	}
	settings := intake.Config{Ignored: ignored, ManifestTimeout: c.ManifestTimeout, PathMap: c.Legacy.PathMap}
	options := watcher.Options{Ignore: c.Ignore, Rescan: c.Rescan, Log: s.log}
	for i := range c.Rules {
		rule := &c.Rules[i]
		taken := intake.Rule{Path: rule.Path, Settle: rule.Settle, AllowAnyUser: rule.AllowAnyUser}
		if rule.Order != nil {
			taken.Order = rule.Order.Expand
		}
		if rule.Converter != nil || len(rule.ByExtension) > 0 {
			taken.Converter = rule.ConverterOf
		}
		settings.Rules = append(settings.Rules, taken)
		options.Rules = append(options.Rules, watcher.Rule{
			Path: rule.Path, Settle: rule.Settle, Unit: units[rule.Unit], Include: rule.Include, Exclude: rule.Exclude,
			Control: order.ManifestGlobs, ControlOnly: rule.Order == nil,
		})
	}
	if c.Legacy.Folder != "" {
		path := filepath.Join(c.Legacy.Root, "{group}", c.Legacy.Folder)
		settings.Rules = append(settings.Rules, intake.Rule{Path: path, Settle: legacySettle, Legacy: true})
		options.Rules = append(options.Rules, watcher.Rule{
			Path: path, Control: []string{order.LegacyGlob}, ControlOnly: true,
		})
	}
	in := intake.New(settings, s.store, s.share, s.repo, s.log)
	watch, err := watcher.New(options, in)
	if err != nil {
		return nil, nil, &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	return in, watch, nil
}

// legacySettle is how long files named by a legacy order must not change. Most
// have been there for long; those that are still being copied are waited for.
const legacySettle = 3 * time.Second

var units = map[config.Unit]watcher.Unit{
	config.Auto: watcher.Auto, config.File: watcher.File, config.Folder: watcher.Folder,
}
