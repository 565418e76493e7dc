package config

import (
	"log/slog"
	"net/netip"
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
	BaseDir         string // absolute and clean
	StateDir        string // absolute
	Workers         int
	MaxAttempts     int           // tries at an order that meets faults that may pass
	Retention       time.Duration // what is kept of ended orders is forgotten then; 0: never
	PerDestination  int           // orders of one destination carried out at the same time; 0: any number
	Converters      int           // converters at the same time
	CheckTimeout    time.Duration // for checking an order's files
	ImportTimeout   time.Duration // for importing a batch of files
	ShutdownTimeout time.Duration
	Roles           []Role
	Backend         Backend
	Repository      RepositoryDir
	OMERO           OMEROServer
	Import          ImportOptions
	Podman          Podman
	ProcessedFolder string // name of the folder for converters' outputs
	Rules           []Rule
	Ignore          []string      // nil: the watcher's own list
	ScanInterval    time.Duration // 0: as the filesystem wants it
	FullScan        time.Duration
	ScanRate        int // files a second; 0 for no bound
	ManifestTimeout time.Duration
	Legacy          Legacy
	Web             WebPage
	Notify          Notify
	// Warnings are sentences for the log: keys without effect any more.
	Warnings []string
}

// Database is the tracking database.
type Database struct {
	Embedded bool   // a private cluster; URL is empty then
	URL      Secret // without SQLAlchemy's driver; or key=value words
	Migrate  bool
}

// Log is the service's log.
type Log struct {
	Level slog.Level
	File  string // relative to the working directory; empty for stderr
}

// RepositoryDir is where the repository backend keeps its links.
type RepositoryDir struct{ Dir string }

// OMEROServer is how to reach OMERO.
type OMEROServer struct {
	Host     string
	Port     int
	User     string
	Password Secret
	Dir      string // OMERODIR: where OMERO's own files are
	CLI      string // the omero executable: a path, or a name to be looked for
	WebURL   string // of OMERO.web; empty for none
	CAFile   string // certificates that OMERO.web is trusted by; empty for the system's
	Managed  string // the managed repository's folder; absolute and clean
}

// ImportOptions are what the omero backend hands to each import.
type ImportOptions struct {
	ParallelUpload, ParallelFilesets                               int
	SkipAll, SkipChecksum, SkipMinmax, SkipThumbnails, SkipUpgrade bool
	SessionTTL                                                     time.Duration
	RegisterZarr                                                   bool
	Namespace                                                      string // of annotations
}

// Podman is how preprocessing containers are run.
type Podman struct {
	Socket            string // empty: the usual places
	TempDir           string // absolute and clean
	Allowed           []string
	Pull              string // missing, always or never
	AuthFile          string
	Network           bool
	UsernsMode        string        // empty: podman's own default
	Memory            int64         // bytes of a container; 0: any, as with those that follow
	CPUs              float64       // as many as that, of all there are
	Pids              int           // processes and threads
	Timeout           time.Duration // since it started
	Strict            bool
	BindRetryAttempts int
	BindRetryDelay    time.Duration
}

// Legacy is where order files of the older service are dropped.
type Legacy struct {
	Folder  string // name; empty for none
	Root    string // absolute and clean
	PathMap map[string]string
	// CoreGroups are the group folders whose order files may act for every group.
	CoreGroups []string
}

// WebPage is the status page.
type WebPage struct {
	Listen string
	URL    string // what people reach it by, with a slash at its end; empty: nothing links to it
	Auth   WebAuth
}

// WebAuth is who may read the page and act through it.
type WebAuth struct {
	ViewerToken, OperatorToken Secret // empty for none
	Proxy                      WebProxy
}

// Any reports whether anybody is named.
func (a *WebAuth) Any() bool {
	return a.ViewerToken != "" || a.OperatorToken != "" || len(a.Proxy.From) > 0
}

// WebProxy is a proxy that is trusted to say who asks.
type WebProxy struct {
	From       []netip.Prefix // its addresses; none for no such proxy
	UserHeader string
	Operators  []string // users that may act; others may read
}

// OrderLogs is the folder of the orders' own logs: beside the service's log.
func (c *Config) OrderLogs() string {
	if c.Log.File != "" {
		return filepath.Dir(c.Log.File)
	}
	return filepath.Join(c.StateDir, "logs")
}
