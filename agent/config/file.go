package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"biomero-importer/agent/order"
)

// file is the settings file. Its tags are the keys.
type file struct {
	IngestTrackingDB string    `yaml:"ingest_tracking_db"`
	LogLevel         string    `yaml:"log_level"`
	LogFilePath      string    `yaml:"log_file_path"`
	BaseDir          string    `yaml:"base_dir"`
	MaxWorkers       whole     `yaml:"max_workers"`
	ShutdownTimeout  seconds   `yaml:"shutdown_timeout"`
	Backend          *string   `yaml:"backend"`
	Repository       dirBlock  `yaml:"repository"`
	StateDir         string    `yaml:"state_dir"`
	Roles            []string  `yaml:"roles"`
	Watch            []rule    `yaml:"watch"`
	Legacy           legacy    `yaml:"legacy"`
	ManifestTimeout  seconds   `yaml:"manifest_timeout"`
	Ignore           *[]string `yaml:"ignore"`
	Rescan           seconds   `yaml:"rescan"`
	Web              webBlock  `yaml:"web"`

	// For the omero backend.
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
}

type dirBlock struct {
	Dir string `yaml:"dir"`
}

type webBlock struct {
	Listen string `yaml:"listen"`
}

type legacy struct {
	Folder  string            `yaml:"folder"`
	Root    string            `yaml:"root"`
	PathMap map[string]string `yaml:"path_map"`
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
}

type template struct {
	Group       string      `yaml:"group"`
	User        string      `yaml:"user"`
	Destination destination `yaml:"destination"`
	Description string      `yaml:"description"`
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

// seconds is a duration: "90s", "5m", or a number of seconds.
type seconds time.Duration

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *seconds) UnmarshalYAML(n ast.Node) error {
	value := n.GetToken().Value
	text := value
	if n, err := strconv.ParseFloat(value, 64); err == nil {
		text = fmt.Sprintf("%fs", n)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return valueError{n, fmt.Sprintf("%q is no duration such as 30s, 5m or a number of seconds", value)}
	}
	*s = seconds(d)
	return nil
}

// whole is a number from 1; the decoder's own would cut 4.7 to 4.
type whole int

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (w *whole) UnmarshalYAML(n ast.Node) error {
	value := n.GetToken().Value
	number, err := strconv.Atoi(value)
	if _, isNumber := n.(*ast.IntegerNode); !isNumber || err != nil || number < 1 {
		return valueError{n, fmt.Sprintf("%q is no whole number from 1", value)}
	}
	*w = whole(number)
	return nil
}

// valueError says that a setting cannot have its value.
type valueError struct {
	node ast.Node
	text string
}

func (e valueError) Error() string { return e.text }

// maxFile bounds the settings file.
const maxFile = 1 << 20

// unused are keys of the Python service that have no effect any more.
func unused(key string, value any) bool {
	switch key {
	case "group_list", "data_dir_name", "sample_image", "sample_parent_id", "sample_parent_type":
		return true
	case "preprocessing":
		_, block := value.(map[string]any)
		return !block
	}
	return strings.HasPrefix(key, "sample_pre_")
}

// parse decodes the settings file over the defaults in f.
func parse(name string, data []byte, f *file) (warnings []string, err error) {
	if len(data) > maxFile {
		return nil, order.Errorf(order.Invalid, "%s: it is larger than %d bytes", name, maxFile)
	}
	if parsed, err := parser.ParseBytes(data, 0); err != nil {
		return nil, explain(name, err)
	} else if len(parsed.Docs) > 1 {
		return nil, order.Errorf(order.Invalid, "%s: settings are one document; remove the second", name)
	} else if len(parsed.Docs) == 0 || parsed.Docs[0].Body == nil {
		return nil, nil
	}
	var all yaml.MapSlice
	if err := yaml.Unmarshal(data, &all); err != nil {
		return nil, explain(name, err)
	}
	var old []string
	for _, item := range all {
		if key, ok := item.Key.(string); ok && unused(key, item.Value) {
			old = append(old, key)
		}
	}
	if len(old) > 0 {
		warnings = append(warnings, "settings without effect any more: "+strings.Join(old, ", "))
		data = blank(data, old)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField())
	if err := dec.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, explain(name, err)
	}
	return warnings, nil
}

// blank empties the top-level blocks of these keys and keeps the line numbers.
func blank(data []byte, keys []string) []byte {
	inside := false
	lines := bytes.Split(data, []byte("\n"))
	for i, line := range lines {
		if len(line) > 0 && line[0] != ' ' && line[0] != '\t' && line[0] != '-' && line[0] != '#' {
			key, _, _ := strings.Cut(string(line), ":")
			inside = slices.Contains(keys, strings.Trim(strings.TrimSpace(key), `"'`))
		}
		if inside {
			lines[i] = nil
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// explain puts the file and the line before what the decoder says.
func explain(name string, err error) error {
	if e, ok := errors.AsType[valueError](err); ok {
		return order.Errorf(order.Invalid, "%s:%d: %s", name, e.node.GetToken().Position.Line, e.text)
	}
	fault, ok := errors.AsType[yaml.Error](err)
	if !ok || fault.GetToken() == nil {
		return order.Errorf(order.Invalid, "%s: %w", name, err)
	}
	line := fault.GetToken().Position.Line
	if _, unknown := errors.AsType[*yaml.UnknownFieldError](err); unknown {
		key := fault.GetToken().Value
		known := Keys()
		if near, ok := order.Nearest(key, known); ok {
			return order.Errorf(order.Invalid, "%s:%d: there is no setting %q here; did you mean %q?", name, line, key, near)
		}
		return order.Errorf(order.Invalid, "%s:%d: there is no setting %q here; known are %s", name, line, key, strings.Join(known, ", "))
	}
	text, _, _ := strings.Cut(fault.GetMessage(), "\n")
	return order.Errorf(order.Invalid, "%s:%d: %s", name, line, text)
}

// Keys lists every key of the settings file, inner ones included.
func Keys() []string { return keysOf(reflect.TypeFor[file]()) }

// keysOf lists all keys of a settings block and of those inside it.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if tag := f.Tag.Get("yaml"); tag != "" && !slices.Contains(keys, tag) {
			keys = append(keys, tag)
		}
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			for _, key := range keysOf(inner) {
				if !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
		}
	}
	return keys
}
