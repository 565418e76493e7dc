package cli

// What the package's decoders are.
var (
	DecodeRecords = decodeRecords
	ReadRows      = readRows
	Folded        = folded
)

// The bounds of what is kept.
const (
	MaxDocument = maxDocument
	MaxObjects  = maxObjects
)
