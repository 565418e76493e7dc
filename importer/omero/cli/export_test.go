package cli

// DecodeRecords is decodeRecords.
var DecodeRecords = decodeRecords

// The bounds of what is kept.
const (
	MaxDocument = maxDocument
	MaxObjects  = maxObjects
)
