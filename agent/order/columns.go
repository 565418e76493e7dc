package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ParseDestination understands the columns destination_type and
// destination_id. Errors are Invalid.
func ParseDestination(typ, id string) (Destination, error) {
	d := Destination{Type: DestinationType(typ)}
	if d.Type != Dataset && d.Type != Screen {
		return Destination{}, Errorf(Invalid, "The destination's type is %s: images go into a Dataset or a Screen.", quote(typ))
	}
	text := strings.TrimSpace(id)
	n, err := strconv.ParseInt(text, 10, 64)
	if !wholeNumber.MatchString(text) || err != nil || n == 0 {
		return Destination{}, Errorf(Invalid, "The %s's id is %s: it has to be a whole number above 0.", typ, quote(id))
	}
	d.ID = n
	return d, nil
}

// shownKeys is how many keys a sentence names.
const shownKeys = 8

// CheckOptions refuses an import_options column that asks for anything: no
// option is supported, and none may be passed over. The error is Invalid.
func CheckOptions(importOptions *string) error {
	if importOptions == nil || strings.Trim(*importOptions, jsonSpace) == "" {
		return nil
	}
	object, err := decodeObject([]byte(*importOptions))
	switch {
	case err != nil:
		return Errorf(Invalid, "The order's import_options %s are not supported by this version: they are no JSON object.", quote(*importOptions))
	case len(object) == 0:
		return nil
	}
	keys := slices.Sorted(maps.Keys(object))
	for i, k := range keys {
		keys[i] = quote(k)
	}
	if len(keys) > shownKeys {
		keys = append(keys[:shownKeys], "…")
	}
	return Errorf(Invalid, "The order's import_options %s are not supported by this version: leave them out.", strings.Join(keys, ", "))
}

// How a converter is called unless the order says otherwise.
const (
	converterInput     = "{Files}"
	converterOutput    = "/data"
	converterAltOutput = "/out"
)

// NewConverter asks for a container that is called the usual way.
func NewConverter(container string) *Converter {
	return &Converter{Container: container, InputFile: converterInput, OutputFolder: converterOutput, AltOutputFolder: converterAltOutput}
}

// DecodeConverter understands a row of imports_preprocessing. alt is nil for
// SQL NULL; extra is the column extra_params: a JSON object, JSON null, or nil
// for SQL NULL. Numbers in Params are json.Number. Errors are Invalid.
func DecodeConverter(container, inputFile, outputFolder string, alt *string, extra []byte) (*Converter, error) {
	if wrong := imageFault(container); wrong != "" {
		return nil, Errorf(Invalid, "The preprocessing container %s.", wrong)
	}
	c := &Converter{Container: container, InputFile: inputFile, OutputFolder: outputFolder}
	if alt != nil {
		c.AltOutputFolder = *alt
	}
	if len(bytes.Trim(extra, jsonSpace)) == 0 {
		return c, nil
	}
	params, err := decodeObject(extra)
	if err != nil {
		return nil, &Error{
			Class: Invalid, Err: err,
			Reason: fmt.Sprintf("The preprocessing's extra_params are %s: they have to be a JSON object.", quote(string(extra))),
		}
	}
	c.Params = params
	return c, nil
}

// jsonSpace is what may stand around a JSON value (RFC 8259, section 2).
const jsonSpace = " \t\r\n"

// decodeObject decodes one JSON object, or null, and nothing after it.
func decodeObject(data []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, fmt.Errorf("decoding a JSON object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the JSON object")
	}
	return object, nil
}
