package config

import (
	"log/slog"
	"path/filepath"
	"time"
)

// Role is a part that an agent plays.
type Role string

// The roles: taking drops, carrying out orders, showing the status page.
const (
	Watch Role = "watch"
	Work  Role = "work"
	Web   Role = "web"
)

// Backend names what imports.
type Backend string

// The backends.
const (
	Repository Backend = "repository"
	OMERO      Backend = "omero"
)

// Config is the settings, complete and checked.
type Config struct {
	Database        Database
	Log             Log
	BaseDir         string
	StateDir        string
	Workers         int
	ShutdownTimeout time.Duration
	Roles           []Role
	Backend         Backend
	Repository      RepositoryDir
	OMERO           OMEROServer
	Rules           []Rule
	Ignore          []string // nil: the watcher's own list
	Rescan          time.Duration
	ManifestTimeout time.Duration
	Legacy          Legacy
	Web             WebPage
	// Warnings are sentences for the log: keys without effect any more.
	Warnings []string
}

// Database is the tracking database.
type Database struct {
	Embedded bool
	URL      Secret
	Migrate  bool
}

// Log is the service's log.
type Log struct {
	Level slog.Level
	File  string
}

// RepositoryDir is where the repository backend keeps its links.
type RepositoryDir struct{ Dir string }

// OMEROServer is how to reach OMERO.
type OMEROServer struct {
	Host     string
	Port     int
	User     string
	Password Secret
	Dir      string
}

// Legacy is where order files of the older service are dropped.
type Legacy struct {
	Folder  string // name; empty for none
	Root    string
	PathMap map[string]string
}

// WebPage is the status page.
type WebPage struct{ Listen string }

// OrderLogs is the folder of the orders' own logs: beside the service's log.
func (c *Config) OrderLogs() string {
	if c.Log.File != "" {
		return filepath.Dir(c.Log.File)
	}
	return filepath.Join(c.StateDir, "logs")
}
