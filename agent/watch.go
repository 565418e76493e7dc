package main

import (
	"path/filepath"

	"biomero-importer/agent/config"
	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/watcher"
)

// watcher makes the watcher of all rules, and the intake that it feeds.
func (s *service) watcher() (*intake.Intake, *watcher.Watcher, error) {
	c := s.config
	settings := intake.Config{ManifestTimeout: c.ManifestTimeout, PathMap: c.Legacy.PathMap}
	options := watcher.Options{Ignore: c.Ignore, Rescan: c.Rescan, Log: s.log}
	for i := range c.Rules {
		rule := &c.Rules[i]
		taken := intake.Rule{Settle: rule.Settle, AllowAnyUser: rule.AllowAnyUser}
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
		settings.Rules = append(settings.Rules, intake.Rule{Legacy: true})
		options.Rules = append(options.Rules, watcher.Rule{
			Path: filepath.Join(c.Legacy.Root, "{group}", c.Legacy.Folder), Control: []string{order.LegacyGlob}, ControlOnly: true,
		})
	}
	in := intake.New(settings, s.store, s.share, s.repo, s.log)
	watch, err := watcher.New(options, in)
	if err != nil {
		return nil, nil, &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	return in, watch, nil
}

var units = map[config.Unit]watcher.Unit{
	config.Auto: watcher.Auto, config.File: watcher.File, config.Folder: watcher.Folder,
}
