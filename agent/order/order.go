package order

// Stage is the state of an order as the imports table spells it. Dashboards
// and scripts compare these strings literally; there are exactly five.
type Stage string

// The five stages, in the order in which they may follow each other.
const (
	Pending       Stage = "Import Pending"
	Started       Stage = "Import Started"
	Preprocessing Stage = "Import Preprocessing"
	Completed     Stage = "Import Completed"
	Failed        Stage = "Import Failed"
)

// Ended reports whether nothing more happens to an order in this stage unless
// somebody asks for another attempt.
func (s Stage) Ended() bool { return s == Completed || s == Failed }

// DestinationType names the kind of OMERO container that receives the images.
type DestinationType string

// The two destination types that clients write.
const (
	Dataset DestinationType = "Dataset"
	Screen  DestinationType = "Screen"
)

// Destination is where the images go: by ID, or by Name (found, else made,
// under Project when that is given; Project applies to a Dataset only).
// Exactly one of ID (positive) and Name is set.
type Destination struct {
	Type    DestinationType
	ID      int64
	Name    string
	Project string
}

// Converter asks for a preprocessing container, as imports_preprocessing
// holds it. Params keeps JSON scalars, lists and objects as decoded.
type Converter struct {
	Container       string
	InputFile       string // template; "{Files}" stands for the input's path
	OutputFolder    string // container path, usually /data
	AltOutputFolder string // container path, usually /out
	Params          map[string]any
}

// Order is one request to import Files for User of Group into Destination.
type Order struct {
	UUID        string
	Group       string
	User        string
	Destination Destination
	Files       []string // absolute, cleaned paths of files or folders
	Description string
	Converter   *Converter
	Priority    int               // a higher one goes first; see IsPriority
	Metadata    map[string]string // key-value pairs for every imported object
	// MetadataFile names a key-value table beside the data, by a legacy order.
	MetadataFile string
}
