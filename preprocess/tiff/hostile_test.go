package tiff_test

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// tags is a directory whose values are all one 32-bit number.
type tags map[uint16]uint32

// good is a page of 4 x 2 grey pixels of 8 bits in one strip, right after the header.
func good() tags {
	return tags{256: 4, 257: 2, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 8}
}

// with is a good page with other values; a missing one takes the field away.
func with(pairs ...uint32) tags {
	t := good()
	for i := 0; i < len(pairs); i += 2 {
		t[uint16(pairs[i])] = pairs[i+1]
	}
	return t
}

func without(tag uint16) tags {
	t := good()
	delete(t, tag)
	return t
}

// craft makes a file: the header, eight pixels, and directories one behind the
// other, of which the last one says that next follows.
func craft(next uint32, pages ...tags) []byte {
	data := []byte{'I', 'I', 42, 0, 16, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}
	for i, page := range pages {
		data = binary.LittleEndian.AppendUint16(data, uint16(len(page)))
		for _, tag := range slices.Sorted(maps.Keys(page)) {
			data = binary.LittleEndian.AppendUint16(data, tag)
			data = binary.LittleEndian.AppendUint16(data, 4)
			data = binary.LittleEndian.AppendUint32(data, 1)
			data = binary.LittleEndian.AppendUint32(data, page[tag])
		}
		following := next
		if i < len(pages)-1 {
			following = uint32(len(data) + 4)
		}
		data = binary.LittleEndian.AppendUint32(data, following)
	}
	return data
}

func TestOpen_readsACraftedPage(t *testing.T) {
	t.Parallel()
	got, err := readAll(craft(0, good()))
	require.NoError(t, err)
	require.Equal(t, []uint16{1, 2, 3, 4, 5, 6, 7, 8}, got)
	// Smaller versions and masks do not count.
	got, err = readAll(craft(0, good(), with(254, 1), with(254, 4)))
	require.NoError(t, err)
	require.Len(t, got, 8)
}

func TestOpen_refuses(t *testing.T) {
	t.Parallel()
	claim := func(at int, n uint32) []byte {
		data := craft(0, good())
		binary.LittleEndian.PutUint32(data[at:], n)
		return data
	}
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                      {nil, "too short"},
		"text":                         {[]byte("ceci n'est pas une pipe"), "neither II nor MM"},
		"another version":              {[]byte("II\x2b\x2b\x08\x00\x00\x00\x00\x00"), "its version is 11051"},
		"no page":                      {craft(0)[:4:4], "too short"},
		"a first page at zero":         {[]byte("II\x2a\x00\x00\x00\x00\x00"), "no page"},
		"a directory beyond the end":   {[]byte("II\x2a\x00\xff\xff\xff\x7f"), "beyond its end"},
		"pages in a circle":            {craft(16, good()), "that of an earlier page"},
		"a page beyond the end":        {craft(1<<30, good()), "beyond its end"},
		"no width":                     {craft(0, without(256)), "field 256"},
		"no strips":                    {craft(0, without(273)), "field 273"},
		"no height":                    {craft(0, with(257, 0)), "field 257 says 0 pixels"},
		"an absurd width":              {craft(0, with(256, 1<<31)), "field 256 says 2147483648 pixels"},
		"more pixels than fit":         {craft(0, with(256, 1<<20, 257, 1<<20, 278, 1<<20)), "cut short"},
		"fewer strips than needed":     {craft(0, with(278, 1)), "names only 1"},
		"a strip beyond the end":       {craft(0, with(273, 1<<31)), "not in the file"},
		"a strip larger than the file": {craft(0, with(279, 1<<31)), "beyond the end"},
		"a short strip":                {craft(0, with(279, 7)), "cut short"},
		"bits":                         {craft(0, with(258, 32)), "32 bits"},
		"floating point":               {craft(0, with(339, 3)), "signed or floating-point"},
		"a palette":                    {craft(0, with(262, 3)), "colours are of kind 3"},
		"grey with two samples":        {craft(0, with(277, 2)), "grey with 2 samples"},
		"RGB with one sample":          {craft(0, with(262, 2)), "RGB with 1 samples"},
		"JPEG":                         {craft(0, with(259, 7)), "compression 7"},
		"a predictor of floats":        {craft(0, with(259, 8, 317, 3)), "predictor 3"},
		"reversed bits":                {craft(0, with(266, 2)), "reverse order"},
		"no deflated data":             {craft(0, with(259, 8)), "invalid header"},
		"a tile of no width":           {craft(0, with(322, 0, 323, 16, 324, 8, 325, 8)), "field 322"},
		"thousands of tiles across":    {craft(0, with(256, 1<<20, 322, 1, 323, 1, 324, 8, 325, 8)), "tiles wide"},
		"a claim of many values":       {claim(22, 1<<31), "claims 2147483648 values"},
		"a claim of many strips":       {claim(82, 9<<20), "field 273 claims 9437184 values"},
		"an unknown kind of value":     {claim(20, 99), "unknown kind"},
		"data shared by pages":         {craft(0, slices.Repeat([]tags{good()}, 10)...), "also that of other pages"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(tc.data)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestFormat_isThatOfAllPages(t *testing.T) {
	t.Parallel()
	f, err := open(append(craft(0, good(), with(256, 2)), "more ink"...))
	require.NoError(t, err)
	_, err = f.Format()
	require.ErrorContains(t, err, "page 2 has another size")
}
