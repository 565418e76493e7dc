package preprocess

// Request asks for one input to be converted. A request that is repeated with the same
// Order, Input and Temp goes on where the one before ended.
type Request struct {
	Order string `json:"order"` // its UUID
	Input int    `json:"input"` // the input's place among those of the order
	// Share is the folder that Path may not lead out of. Path is the input, a file or
	// folder below it, absolute and resolved.
	Share string `json:"share"`
	Path  string `json:"path"`

	Image           string         `json:"image"`             // as it was written
	InputFile       string         `json:"input_file"`        // template; "{Files}" stands for the input's path in the container
	OutputFolder    string         `json:"output_folder"`     // in the container, usually /data: the input's folder
	AltOutputFolder string         `json:"alt_output_folder"` // in the container, usually /out; without it there are no copies
	Params          map[string]any `json:"params"`

	// Temp is the folder of this input alone for copies to import; it is made, and
	// the folders above it. Nobody else may be able to write there.
	Temp string `json:"temp"`
	// Processed names the folder beside the input where files stay; ".processed" if empty.
	Processed string `json:"processed"`
}

// Result is what a converter made of an input. It can be kept as JSON.
type Result struct {
	Image  string `json:"image"`  // in full
	Digest string `json:"digest"` // of the image that ran
	Items  []Item `json:"items"`  // at least one
	Moves  []Move `json:"moves,omitempty"`
}

// Item is an image or plate to be imported.
type Item struct {
	Name string `json:"name"` // never empty
	// Import is the path to import: the copy in Temp where there is one, otherwise Published.
	Import string `json:"import"`
	// Published is the path that stays: below the processed folder, or below the
	// input's folder where the converter passed on what was there.
	Published string     `json:"published"`
	KeyValues []KeyValue `json:"key_values,omitempty"`
}

// KeyValue is an annotation. A list has several values, null has none; an object is
// JSON text.
type KeyValue struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Move says where the lasting copy of a temporary file or folder is. Without To there is
// none of whatever else is in a folder.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Stream is where a converter wrote a line.
type Stream string

// The two streams of a converter.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// Watch is told what happens while a request is carried out. Each function may be nil.
// They are called one at a time, and the converter waits meanwhile.
type Watch struct {
	// Pulling tells how far its image is.
	Pulling func(text string)
	// Starting is called before a container starts, or is gone on with; again where a busy
	// mount kept it from starting. An error keeps it from starting, too.
	Starting func() error
	// Line is called for each line that it writes, without its end, cut after MaxLine
	// bytes. Of a converter that is gone on with, or whose output broke off meanwhile,
	// lines may come twice.
	Line func(from Stream, line string)
	// Progress is called with the percentages that it writes, as they change.
	Progress func(percent int)
}

// MaxLine bounds the lines that a Watch is given.
const MaxLine = 4096
