package explain

import (
	"time"

	"biomero-importer/agent/intake"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
	"biomero-importer/watcher"
)

// State is where a path stands.
type State string

// The states.
const (
	Missing    State = "missing"    // nothing is there
	Unwatched  State = "unwatched"  // no rule is for it
	Ignored    State = "ignored"    // by a pattern
	Passed     State = "passed"     // a rule is for its folder, but takes nothing like it
	Part       State = "part"       // of a drop of several files
	Folder     State = "folder"     // around drops
	Unreadable State = "unreadable" // for whoever asks
	Settling   State = "settling"   // it changed a short time ago, or lacks something
	Ready      State = "ready"      // it is taken when it is looked at next
	Taken      State = "taken"      // it became part of an order
	Changed    State = "changed"    // after it was taken, and it is not imported again
	Held       State = "held"       // for a manifest
	Waiting    State = "waiting"    // a manifest, for its files
	Refused    State = "refused"    // until it changes
)

// Explainer says what becomes of files.
type Explainer struct {
	Watch  *watcher.Watcher
	Intake *intake.Intake // fed by nobody else
	Share  *importer.Share
	Images preprocess.Allowlist // that may convert
	// Own tells by its name what the service itself writes into watched folders.
	Own func(base string) bool
}

// Explanation is all that can be said of a path.
type Explanation struct {
	Path   string `json:"path"`
	State  State  `json:"state"`
	Reason string `json:"reason"` // in words; of a drop that is ready, empty
	// LeftSeconds is for how long it must not change any more.
	LeftSeconds float64    `json:"left_seconds"`
	Kind        string     `json:"kind"` // file, manifest, zarr, folder, or a format's name; empty for none
	Unit        string     `json:"unit"` // the drop of several files that it is or belongs to
	Size        int64      `json:"size"`
	Changed     *time.Time `json:"changed"` // last, by its filesystem
	Filesystem  string     `json:"filesystem"`
	Events      bool       `json:"events"` // whether the kernel is asked to tell of changes there
	// Rule is the number of the rule that it falls under, from 1; 0 for none.
	Rule        int               `json:"rule"`
	Captures    map[string]string `json:"captures"`
	Rules       []Rule            `json:"rules"`
	Order       *Order            `json:"order"`
	Import      *Import           `json:"import"`
	Record      *Record           `json:"record"`
	DuplicateOf string            `json:"duplicate_of"`
	Files       []Named           `json:"files"` // that a manifest names
	// Database is why it was not asked; empty where it was.
	Database string `json:"database"`
}

// Rule is a watch rule, and what it has to do with a path.
type Rule struct {
	Number  int    `json:"number"` // from 1, as in the settings; after these comes legacy
	Path    string `json:"path"`
	Matches bool   `json:"matches"`
	Reason  string `json:"reason"` // why not
}

// Order is an order that a drop becomes part of, or that a manifest asks for.
type Order struct {
	Group       string `json:"group"`
	User        string `json:"user"`
	Type        string `json:"destination_type"`
	ID          int64  `json:"destination_id"` // 0 where it is known by its name
	Name        string `json:"destination_name"`
	Project     string `json:"project"`
	Priority    int    `json:"priority"`
	Description string `json:"description"`
	Converter   string `json:"converter"`
}

// Import is whether the importer may import a path.
type Import struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`
}

// Record is what the database has of a path.
type Record struct {
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Order     string    `json:"order"`  // uuid
	Holder    string    `json:"holder"` // the manifest that it is held for
	Changed   bool      `json:"changed"`
	FirstSeen time.Time `json:"first_seen"`
}

// Named is what one entry of a manifest names.
type Named struct {
	Pattern string `json:"pattern"`
	Fault   string `json:"fault"`
	// Paths are the first of those that are there, and Count is how many there are.
	Paths []Item `json:"paths"`
	Count int    `json:"count"`
}

// Item is a path in short.
type Item struct {
	Path   string `json:"path"`
	State  State  `json:"state"`
	Reason string `json:"reason"`
}
