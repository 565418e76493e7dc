package preview

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// array is a Zarr array of version 2 or 3.
type array struct {
	from   *source
	dir    string
	shape  []int
	chunks []int
	number number
	codecs []codec // in the order in which a chunk is unpacked
	prefix string  // of the names of chunks
	sep    string
	fill   float64
}

func openArray(from *source, dir string) (*array, error) {
	a := &array{from: from, dir: dir}
	data, err := from.read(path.Join(dir, ".zarray"), maxDocument)
	if err == nil {
		err = a.readV2(data)
	} else if errors.Is(err, fs.ErrNotExist) {
		if data, err = from.read(path.Join(dir, "zarr.json"), maxDocument); err == nil {
			err = a.readV3(data)
		}
	}
	if err != nil {
		return nil, err
	}
	return a, a.check()
}

// check refuses what no picture is worth.
func (a *array) check() error {
	if len(a.shape) != len(a.chunks) {
		return errNone
	}
	size := int64(a.number.size)
	for i, n := range a.chunks {
		if n < 1 || n > maxChunk || a.shape[i] < 1 {
			return errNone
		}
		if size *= int64(n); size > maxChunk {
			return errMuch
		}
	}
	return nil
}

func (a *array) readV2(data []byte) error {
	var doc struct {
		Shape      []int           `json:"shape"`
		Chunks     []int           `json:"chunks"`
		Dtype      string          `json:"dtype"`
		Compressor *config         `json:"compressor"`
		Filters    []config        `json:"filters"`
		Order      string          `json:"order"`
		Separator  string          `json:"dimension_separator"`
		Fill       json.RawMessage `json:"fill_value"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if doc.Order != "C" || len(doc.Filters) > 0 || len(doc.Dtype) < 2 {
		return errNone
	}
	a.shape, a.chunks, a.sep = doc.Shape, doc.Chunks, doc.Separator
	if a.sep == "" {
		a.sep = "."
	}
	a.fill = number64(doc.Fill)
	if doc.Compressor != nil {
		if err := a.add(doc.Compressor.ID); err != nil {
			return err
		}
	}
	var order binary.ByteOrder = binary.LittleEndian
	if doc.Dtype[0] == '>' {
		order = binary.BigEndian
	}
	var err error
	a.number, err = newNumber(doc.Dtype[1:], order)
	return err
}

// config is how a codec is named: by its id in version 2, by its name in version 3.
type config struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Configuration struct {
		Endian    string `json:"endian"`
		Chunk     []int  `json:"chunk_shape"`
		Separator string `json:"separator"`
	} `json:"configuration"`
}

// kinds are the types of version 3 as version 2 names them.
var kinds = map[string]string{
	"uint8": "u1", "int8": "i1", "uint16": "u2", "int16": "i2", "uint32": "u4", "int32": "i4", "float32": "f4", "float64": "f8",
}

func (a *array) readV3(data []byte) error {
	var doc struct {
		Shape  []int           `json:"shape"`
		Type   json.RawMessage `json:"data_type"`
		Grid   config          `json:"chunk_grid"`
		Keys   config          `json:"chunk_key_encoding"`
		Codecs []config        `json:"codecs"`
		Fill   json.RawMessage `json:"fill_value"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if doc.Grid.Name != "regular" {
		return errNone
	}
	a.shape, a.chunks, a.fill = doc.Shape, doc.Grid.Configuration.Chunk, number64(doc.Fill)
	switch a.sep = doc.Keys.Configuration.Separator; doc.Keys.Name {
	case "default":
		a.prefix = "c"
		if a.sep == "" {
			a.sep = "/"
		}
		a.prefix += a.sep
	case "v2":
		if a.sep == "" {
			a.sep = "."
		}
	default:
		return errNone
	}
	var order binary.ByteOrder
	for _, c := range slices.Backward(doc.Codecs) { // the last packed is unpacked first
		switch c.Name {
		case "bytes":
			order = binary.LittleEndian
			if c.Configuration.Endian == "big" {
				order = binary.BigEndian
			}
		default:
			if err := a.add(c.Name); err != nil {
				return err
			}
		}
	}
	var kind string
	if order == nil || json.Unmarshal(doc.Type, &kind) != nil {
		return errNone
	}
	var err error
	a.number, err = newNumber(kinds[kind], order)
	return err
}

func (a *array) add(name string) error {
	c, ok := unpackers[name]
	if !ok {
		return fmt.Errorf("packed by %.40q: %w", name, errNone)
	}
	a.codecs = append(a.codecs, c)
	return nil
}

func number64(raw json.RawMessage) float64 {
	v, _ := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	return v
}

// plane tells each pixel of a plane, whose place along the other axes is given.
func (a *array) plane(place []int, each func(x, y int, v float64)) error {
	n := len(a.shape)
	width, height := a.shape[n-1], a.shape[n-2]
	across, down := (width+a.chunks[n-1]-1)/a.chunks[n-1], (height+a.chunks[n-2]-1)/a.chunks[n-2]
	if across*down > maxChunks {
		return errMuch
	}
	key := make([]int, n)
	offset := 0 // of the plane in a chunk, in values
	for i := range n {
		at := 0
		if i < n-2 {
			key[i] = place[i] / a.chunks[i]
			at = place[i] % a.chunks[i]
		}
		offset = offset*a.chunks[i] + at
	}
	for row := range down {
		for column := range across {
			key[n-2], key[n-1] = row, column
			if err := a.chunk(key, offset, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunk tells the pixels of a plane that are in a chunk.
func (a *array) chunk(key []int, offset int, each func(x, y int, v float64)) error {
	n := len(key)
	data, err := a.unpacked(key)
	if err != nil {
		return err
	}
	left, top := key[n-1]*a.chunks[n-1], key[n-2]*a.chunks[n-2]
	for y := range min(a.chunks[n-2], a.shape[n-2]-top) {
		for x := range min(a.chunks[n-1], a.shape[n-1]-left) {
			v := a.fill
			if data != nil {
				v = a.number.at(data, offset+y*a.chunks[n-1]+x)
			}
			each(left+x, top+y, v)
		}
	}
	return nil
}

// unpacked is a chunk's bytes; nil where it is not there, and all of the fill value.
func (a *array) unpacked(key []int) ([]byte, error) {
	want := a.number.size
	names := make([]string, len(key))
	for i, k := range key {
		want *= a.chunks[i]
		names[i] = strconv.Itoa(k)
	}
	data, err := a.from.read(path.Join(a.dir, a.prefix+strings.Join(names, a.sep)), maxChunk)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, unpack := range a.codecs {
		if err == nil {
			err = a.from.ctx.Err()
		}
		if err == nil {
			data, err = unpack(data, want)
		}
	}
	if err == nil && len(data) != want {
		err = fmt.Errorf("a chunk of %d bytes, not %d: %w", len(data), want, errNone)
	}
	return data, err
}
