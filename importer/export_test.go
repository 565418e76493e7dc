package importer

// DecodeTable decodes a table of metadata.
func DecodeTable(data []byte) (pairs []Pair, warnings []string, ok bool) {
	text, ok := decodeText(data)
	if !ok {
		return nil, nil, false
	}
	pairs, warnings = decodeTable(text)
	return pairs, warnings, true
}
