package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"biomero-importer/agent/order"
)

// file is the settings file. Its tags are the keys.
type file struct {
	IngestTrackingDB Secret   `yaml:"ingest_tracking_db"`
	LogLevel         string   `yaml:"log_level"`
	LogFilePath      string   `yaml:"log_file_path"`
	BaseDir          string   `yaml:"base_dir"`
	StateDir         string   `yaml:"state_dir"`
	MaxWorkers       whole    `yaml:"max_workers"`
	MaxAttempts      whole    `yaml:"max_attempts"`
	Retention        seconds  `yaml:"retention"`
	MaxPerDest       count    `yaml:"max_per_destination"`
	Converters       whole    `yaml:"preprocess_workers"`
	CheckTimeout     seconds  `yaml:"check_timeout"`
	ImportTimeout    seconds  `yaml:"import_timeout"`
	ShutdownTimeout  seconds  `yaml:"shutdown_timeout"`
	Roles            []string `yaml:"roles"`
	Backend          *string  `yaml:"backend"`

	Repository      dirBlock    `yaml:"repository"`
	Watch           []rule      `yaml:"watch"`
	Legacy          legacy      `yaml:"legacy"`
	ManifestTimeout seconds     `yaml:"manifest_timeout"`
	Ignore          []string    `yaml:"ignore"`
	ScanInterval    seconds     `yaml:"scan_interval"`
	FullScan        seconds     `yaml:"full_scan_interval"`
	ScanRate        count       `yaml:"scan_rate"`
	Web             webBlock    `yaml:"web"`
	OMERO           omeroBlock  `yaml:"omero"`
	Podman          podmanBlock `yaml:"podman"`
	Notify          notifyBlock `yaml:"notify"`

	ParallelUpload      whole  `yaml:"parallel_upload_per_worker"`
	ParallelFilesets    whole  `yaml:"parallel_filesets_per_worker"`
	SkipAll             bool   `yaml:"skip_all"`
	SkipChecksum        bool   `yaml:"skip_checksum"`
	SkipMinmax          bool   `yaml:"skip_minmax"`
	SkipThumbnails      bool   `yaml:"skip_thumbnails"`
	SkipUpgrade         bool   `yaml:"skip_upgrade"`
	TTLForUserConn      whole  `yaml:"ttl_for_user_conn"`
	UseRegisterZarr     bool   `yaml:"use_register_zarr"`
	AnnotationNamespace string `yaml:"annotation_namespace"`

	// Only the environment gives these.
	migrate         bool
	processedFolder string
}

type dirBlock struct {
	Dir string `yaml:"dir"`
}

type webBlock struct {
	Listen string    `yaml:"listen"`
	URL    string    `yaml:"url"`
	Auth   authBlock `yaml:"auth"`
}

type authBlock struct {
	ViewerToken   Secret     `yaml:"viewer_token"`
	OperatorToken Secret     `yaml:"operator_token"`
	Proxy         proxyBlock `yaml:"proxy"`
}

type proxyBlock struct {
	From       []string `yaml:"from"`
	UserHeader string   `yaml:"user_header"`
	Operators  []string `yaml:"operators"`
}

type legacy struct {
	Folder     string            `yaml:"folder"`
	Root       string            `yaml:"root"`
	PathMap    map[string]string `yaml:"path_map"`
	CoreGroups []string          `yaml:"core_groups"`
}

type omeroBlock struct {
	Host     string `yaml:"host"`
	Port     port   `yaml:"port"`
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
	Dir      string `yaml:"dir"`
	CLI      string `yaml:"cli"`
	WebURL   string `yaml:"web_url"`
	CAFile   string `yaml:"ca_file"`
	Managed  string `yaml:"managed_repository"`
}

type podmanBlock struct {
	Socket            string   `yaml:"socket"`
	TempDir           string   `yaml:"temp_dir"`
	Allowed           []string `yaml:"allowed_images"`
	Pull              string   `yaml:"pull"`
	AuthFile          string   `yaml:"auth_file"`
	Network           bool     `yaml:"network"`
	Memory            size     `yaml:"memory"`
	CPUs              amount   `yaml:"cpus"`
	Pids              count    `yaml:"pids"`
	Timeout           seconds  `yaml:"timeout"`
	Strict            bool     `yaml:"strict"`
	UsernsMode        string   `yaml:"userns_mode"`
	BindRetryAttempts whole    `yaml:"bind_retry_attempts"`
	BindRetryDelay    seconds  `yaml:"bind_retry_delay"`
}

type rule struct {
	Path          string         `yaml:"path"`
	Order         *template      `yaml:"order"`
	Unit          string         `yaml:"unit"`
	Settle        *seconds       `yaml:"settle"`
	Include       []string       `yaml:"include"`
	Exclude       []string       `yaml:"exclude"`
	Preprocessing *preprocessing `yaml:"preprocessing"`
	AllowAnyUser  bool           `yaml:"allow_any_user"`
	Mode          string         `yaml:"mode"`
	ScanInterval  seconds        `yaml:"scan_interval"`
	DoneMarker    string         `yaml:"done_marker"`
	OnChange      string         `yaml:"on_change"`
}

type template struct {
	Group       string      `yaml:"group"`
	User        string      `yaml:"user"`
	Destination destination `yaml:"destination"`
	Description string      `yaml:"description"`
	Priority    priority    `yaml:"priority"`
}

type destination struct {
	Type    string `yaml:"type"`
	ID      string `yaml:"id"`
	Name    string `yaml:"name"`
	Project string `yaml:"project"`
}

type converter struct {
	Container string         `yaml:"container"`
	Params    map[string]any `yaml:"params"`
}

type preprocessing struct {
	Container   string               `yaml:"container"`
	Params      map[string]any       `yaml:"params"`
	ByExtension map[string]converter `yaml:"by_extension"`
}

// whole is a number from 1.
type whole int

// count is a number from 0.
type count int

// priority is an order's.
type priority int

// port is a TCP port.
type port int

// size is an amount of memory: "512m", "8g", or a number of bytes.
type size int64

// amount is a number from 0, with a fraction.
type amount float64

// seconds is a duration: "90s", "5m", or a number of seconds.
type seconds time.Duration

// set gives the value that v points to from a text; it returns what would have
// been right where the text is not.
func set(v any, text string) (wanted string) {
	switch v := v.(type) {
	case *string:
		*v = text
	case *Secret:
		*v = Secret(text)
	case *bool:
		b, ok := parseBool(text)
		if !ok {
			return "true or false"
		}
		*v = b
	case *whole:
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n == 0 {
			return "a whole number from 1"
		}
		*v = whole(n)
	case *count:
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return "a whole number from 0"
		}
		*v = count(n)
	case *priority:
		n, err := strconv.Atoi(text)
		if err != nil || !order.IsPriority(n) {
			return order.Priorities
		}
		*v = priority(n)
	case *port:
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return "a port number from 1 to 65535"
		}
		*v = port(n)
	case *size:
		n, err := units.RAMInBytes(text)
		if err != nil || n < 0 {
			return "an amount of memory such as 512m or 8g"
		}
		*v = size(n)
	case *amount:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n < math.MaxInt32) {
			return "a number from 0"
		}
		*v = amount(n)
	case *seconds:
		d, ok := parseSeconds(text)
		if !ok {
			return "a duration such as 30s or 5m, or a number of seconds"
		}
		*v = seconds(d)
	default:
		panic(fmt.Sprintf("a setting of the type %T is never read", v))
	}
	return ""
}

// parseBool also takes the words that Python's YAML takes.
func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

func parseSeconds(text string) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		n *= float64(time.Second)
		return time.Duration(n), n >= 0 && n < math.MaxInt64
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

// Keys lists every key of the settings file with the keys that it is inside,
// as in "watch.order.group".
func Keys() []string { return keysBelow(reflect.TypeFor[file](), "") }

func keysBelow(t reflect.Type, prefix string) []string {
	var keys []string
	for f := range t.Fields() {
		tag := f.Tag.Get("yaml")
		if tag == "" {
			continue
		}
		keys = append(keys, prefix+tag)
		inner := f.Type
		for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, inner.Kind()) {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			keys = append(keys, keysBelow(inner, prefix+tag+".")...)
		}
	}
	return keys
}
