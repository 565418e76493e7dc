package importer_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
)

// metadata reads a table of this content.
func metadata(t *testing.T, content []byte) (pairs []importer.Pair, warnings []string, err error) {
	t.Helper()
	share, dir, _ := newShare(t)
	path := filepath.Join(dir, "metadata.csv")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return share.Metadata(path)
}

// inUTF16 is text as Windows programs save it.
func inUTF16(text string, bigEndian bool) []byte {
	var out bytes.Buffer
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		if bigEndian {
			out.Write([]byte{byte(unit >> 8), byte(unit)})
		} else {
			out.Write([]byte{byte(unit), byte(unit >> 8)})
		}
	}
	return out.Bytes()
}

func TestShare_Metadata_takesWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	type pairs = []importer.Pair
	stain := pairs{{"stain", "DAPI"}, {"Größe", "5 µm"}}
	for name, tc := range map[string]struct {
		content string
		want    pairs
	}{
		"plain":                   {"stain,DAPI\nGröße,5 µm\n", stain},
		"no end of the last line": {"stain,DAPI\nGröße,5 µm", stain},
		"header":                  {"key,value\nstain,DAPI\nGröße,5 µm\n", stain},
		"header in other case":    {"Key,VALUE\nstain,DAPI\nGröße,5 µm\n", stain},
		"header with a name":      {"\n Name , Value ,,\nstain,DAPI\nGröße,5 µm\n", stain},
		"header in quotes":        {"\"key\",\"value\"\nstain,DAPI\nGröße,5 µm\n", stain},
		"header below":            {"stain,DAPI\nkey,value\n", pairs{{"stain", "DAPI"}, {"key", "value"}}},
		"UTF-8 with a BOM":        {"\ufeffkey,value\nstain,DAPI\nGröße,5 µm\n", stain},
		"UTF-8 with a BOM, spoilt": {
			"\ufeffa,Gr\xf6\xdfe\n", pairs{{"a", "Gr\ufffd\ufffde"}},
		},
		"UTF-16 little":       {string(inUTF16("key,value\r\nstain,DAPI\r\nGröße,5 µm\r\n", false)), stain},
		"UTF-16 big":          {string(inUTF16("key\tvalue\nstain\tDAPI\nGröße\t5 µm\n", true)), stain},
		"UTF-16 beyond":       {string(inUTF16("cell,🔬\n", false)), pairs{{"cell", "🔬"}}},
		"UTF-16 cut":          {string(inUTF16("a,b", false)) + "c", pairs{{"a", "b\ufffd"}}},
		"latin-1":             {"stain,DAPI\nGr\xf6\xdfe,5 \xb5m\n", stain},
		"Windows-1252":        {"price,5 \x80 \x96 \x93cheap\x94\n", pairs{{"price", "5 € – “cheap”"}}},
		"CRLF":                {"stain,DAPI\r\nGröße,5 µm\r\n", stain},
		"CR":                  {"stain,DAPI\rGröße,5 µm\r", stain},
		"mixed ends of lines": {"a,1\r\nb,2\rc,3\nd,4", pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}},
		"blank lines":         {"\n\nstain,DAPI\n \n\t\n,\n,,,\n\"\",\"\"\nGröße,5 µm\n\n", stain},
		"semicolons":          {"stain;DAPI\nGröße;5 µm\n", stain},
		"tabs":                {"stain\tDAPI\nGröße\t5 µm\n", stain},
		"decimal commas":      {"exposure;1,5\ngain;0,25\n", pairs{{"exposure", "1,5"}, {"gain", "0,25"}}},
		"commas in a key":     {"size, um;5\nname;x\nstain;DAPI\n", pairs{{"size, um", "5"}, {"name", "x"}, {"stain", "DAPI"}}},
		"quoted commas":       {"\"size, um\";5\n\"x, y\";6\n", pairs{{"size, um", "5"}, {"x, y", "6"}}},
		"semicolons inside":   {"channels,DAPI;GFP\nlasers,405;488\n", pairs{{"channels", "DAPI;GFP"}, {"lasers", "405;488"}}},
		"commas behind tabs":  {"a\tb, c\nd\te, f\n", pairs{{"a", "b, c"}, {"d", "e, f"}}},
		"header of tabs":      {"key\tvalue\na,b\tc\nd,e\tf\n", pairs{{"a,b", "c"}, {"d,e", "f"}}},
		"named separator":     {"sep=;\na,b;c\nd,e;f\n", pairs{{"a,b", "c"}, {"d,e", "f"}}},
		"quotes": {
			"a,\"1, 2\"\n\"b \"\"x\"\"\",\"\"\n\"c\nd\",\"e\nf\"\n",
			pairs{{"a", "1, 2"}, {`b "x"`, ""}, {"c\nd", "e\nf"}},
		},
		"CRLF in quotes":       {"a,\"b\r\nc\"\r\nd,e\r\n", pairs{{"a", "b\nc"}, {"d", "e"}}},
		"blanks around quotes": {" \"a,b\" ,\t\"c,d\"\t\n", pairs{{"a,b", "c,d"}}},
		"blanks":               {"\u00a0 a b \t,  c  d \t\n", pairs{{"a b", "c  d"}}},
		"blanks in quotes":     {"\" a \",\"\n b \"\n", pairs{{"a", "\n b"}}},
		"quotes amid cells": {
			"lens,5\" wide\nbest,\"so\" called\n\"x\"y,2'\"\n",
			pairs{{"lens", `5" wide`}, {"best", `"so" called`}, {`"x"y`, `2'"`}},
		},
		"value missing":       {"a,\nb,  \n", pairs{{"a", ""}, {"b", ""}}},
		"trailing separators": {"a,1,\nb,2,,, ,\n", pairs{{"a", "1"}, {"b", "2"}}},
		"repeated keys":       {"a,1\na,2\na,1\n", pairs{{"a", "1"}, {"a", "2"}, {"a", "1"}}},
		"control characters":  {"a\x00\x00,\x00b\x1b[1m\x7f\n\x01c,d\ve\u0085f\n", pairs{{"a", "b[1m"}, {"c", "d\ne\nf"}}},
		"NUL behind cells":    {strings.Repeat("stain\x00\x00,DAPI\x00\x00\n", 20)[:13] + "\n", pairs{{"stain", "DAPI"}}},
		"empty":               {"", nil},
		"only a header":       {"key,value\n", nil},
		"only a BOM":          {"\ufeff", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, warnings, err := metadata(t, []byte(tc.content))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Empty(t, warnings)
		})
	}
}

func TestShare_Metadata_tellsOfRowsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	content := strings.Join([]string{
		"a,1",
		"alone",
		"b,2,3",
		"c,3,,,x,,",
		"  ,nameless",
		"\x01,nameless too",
		`d,"unclosed, and more`,
		"e,5",
		`"f`,
		`,"g`,
		"h,\"two\nlines\",\"three",
		"i,9",
		`j,"to the end`,
		"k,11",
	}, "\n")
	got, warnings, err := metadata(t, []byte(content))
	require.NoError(t, err)
	require.Equal(t, []importer.Pair{{"a", "1"}, {"e", "5"}, {"i", "9"}, {"k", "11"}}, got)
	require.Equal(t, []string{
		"Line 2 has only one column, instead of a key and a value: it was left out.",
		"Line 3 has 3 columns, instead of a key and a value: it was left out.",
		"Line 4 has 5 columns, instead of a key and a value: it was left out.",
		"Line 5 has no key: it was left out.",
		"Line 6 has no key: it was left out.",
		"Line 7 has a quote that is not closed: it was left out.",
		"Line 9 has a quote that is not closed: it was left out.",
		"Line 10 has a quote that is not closed: it was left out.",
		"Line 12 has a quote that is not closed: it was left out.",
		"Line 14 has a quote that is not closed: it was left out.",
	}, warnings)
}

// What is not taken does not mislead about what separates the cells.
func TestShare_Metadata_findsTheSeparatorAmongOtherRows(t *testing.T) {
	t.Parallel()
	for content, want := range map[string][]importer.Pair{
		"size;1,5\n\"box\";\"2,5\"\nw;1,5;um\nh;1,5;um\n":                 {{"size", "1,5"}, {"box", "2,5"}},
		"one, two, three\na, and b\nc, d\nkey\tvalue\ne\tf\ng\th\ni\tj\n": {{"key", "value"}, {"e", "f"}, {"g", "h"}, {"i", "j"}},
		"sep=|\nsep=;x\n": {{"sep=", "x"}},
		"all\nalone\n":    nil,
	} {
		got, warnings, err := metadata(t, []byte(content))
		require.NoError(t, err)
		require.Equal(t, want, got, content)
		require.NotEmpty(t, warnings)
	}
}

// What LazyQuotes of encoding/csv would do: one quote takes all that follows it.
func TestShare_Metadata_losesNoRowsToAQuote(t *testing.T) {
	t.Parallel()
	content := "a,\"1\nb,2\n\"c\",\"3\"\nd,\"4\"\n"
	lazy := csv.NewReader(strings.NewReader(content))
	lazy.LazyQuotes, lazy.FieldsPerRecord = true, -1
	rows, err := lazy.ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, []string{"a", "1\nb,2\n\"c", "3"}, rows[0])
	got, warnings, err := metadata(t, []byte(content))
	require.NoError(t, err)
	require.Equal(t, []importer.Pair{{"b", "2"}, {"c", "3"}, {"d", "4"}}, got)
	require.Len(t, warnings, 1)
}

func TestShare_Metadata_warnsInMeasure(t *testing.T) {
	t.Parallel()
	for rows, want := range map[int]int{19: 19, 20: 20, 21: 21, 5000: 21} {
		got, warnings, err := metadata(t, []byte("a,1\n"+strings.Repeat("alone\n", rows)))
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Len(t, warnings, want)
		if rows > 20 {
			require.Equal(t, fmt.Sprintf("%d more lines were left out.", rows-20), warnings[20])
		}
	}
}

func TestShare_Metadata_refuses(t *testing.T) {
	t.Parallel()
	share, dir, outside := newShare(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(at(name), content, 0o644))
	}
	random := make([]byte, 4096)
	state := uint32(1)
	for i := range random {
		state = state*1664525 + 1013904223
		random[i] = byte(state >> 24)
	}
	write("large", bytes.Repeat([]byte("a"), 10<<20+1))
	write("random", random)
	write("pixels", bytes.Repeat([]byte{0, 0, 0, 7}, 1000))
	write("table.xlsx", []byte("PK\x03\x04key,value\n"))
	write("image.png", []byte("\x89PNG\r\n\x1a\n,\n"))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o644))
	require.NoError(t, os.Mkdir(at("folder"), 0o755))
	require.NoError(t, os.Symlink(outside, at("leak")))
	require.NoError(t, os.Symlink("pipe", at("link to a pipe")))
	for _, tc := range []struct{ path, want string }{
		{at("large"), "larger than 10 MB"},
		{at("random"), "is no text"},
		{at("pixels"), "is no text"},
		{at("table.xlsx"), "is no text"},
		{at("image.png"), "is no text"},
		{at("pipe"), "is no file"},
		{at("link to a pipe"), "is no file"},
		{at("folder"), "is no file"},
		{at("leak"), "leads outside"},
		{outside, "lies outside"},
		{"metadata.csv", "not absolute"},
		{at("a.tif/metadata.csv"), "cannot be used"},
		{at("missing"), "There is no file"},
	} {
		pairs, warnings, err := share.Metadata(tc.path)
		var fault *importer.Error
		require.ErrorAs(t, err, &fault, tc.path)
		require.Contains(t, fault.Reason, tc.want, tc.path)
		require.Equal(t, tc.path == at("missing"), errors.Is(err, fs.ErrNotExist))
		require.Empty(t, pairs)
		require.Empty(t, warnings)
	}
}

func TestShare_Metadata_followsLinksOfTheShare(t *testing.T) {
	t.Parallel()
	share, dir, _ := newShare(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.csv"), []byte("a,1\n"), 0o644))
	require.NoError(t, os.Symlink("b.csv", filepath.Join(dir, "metadata.csv")))
	pairs, _, err := share.Metadata(filepath.Join(dir, "metadata.csv"))
	require.NoError(t, err)
	require.Equal(t, []importer.Pair{{"a", "1"}}, pairs)
}

// The largest tables of the worst rows are read in time that nobody notices, and in
// memory that is a small multiple of theirs.
func TestShare_Metadata_bearsLargeTables(t *testing.T) {
	size, limit := 10<<20, time.Second
	if raceEnabled {
		size /= 10 // it is as much slower
	}
	for name, tc := range map[string]struct {
		row   string
		pairs int
	}{
		"ordinary rows":  {"some key,some value\n", size / 20},
		"short rows":     {"a,\n", min(size/3, 1<<20)},
		"blank lines":    {"\n", 0},
		"one row":        {",", 0},
		"single columns": {"a\n", 0},
		"many columns":   {"a,b,c\n", 0},
		"opened quotes":  {"\"\n", 0},
		"spoilt quotes":  {"\"a\"b\"\n", 0},
		"doubled quotes": {"\"\"\n", 0},
		"unclosed cells": {"a,\"\"\"b\n", 0},
		"quotes in text": {"abc,\"\"d\"\"\n", size / 10},
		"latin-1":        {"\xe4,\xb5\n", min(size/4, 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Repeat([]byte(tc.row), size/len(tc.row))
			share, dir, _ := newShare(t)
			path := filepath.Join(dir, "metadata.csv")
			require.NoError(t, os.WriteFile(path, content, 0o644))
			var pairs []importer.Pair
			var took time.Duration
			var before, after runtime.MemStats
			for range 5 { // others may be at work here
				runtime.ReadMemStats(&before)
				start := time.Now()
				got, _, err := share.Metadata(path)
				require.NoError(t, err)
				pairs, took = got, time.Since(start)
				runtime.ReadMemStats(&after)
				if took < limit {
					break
				}
			}
			require.Len(t, pairs, tc.pairs)
			require.Less(t, took, limit)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(120<<20), "bytes were allocated, all in all")
		})
	}
}

// Whatever a table holds, what is taken of it can be kept anywhere, and is the same when
// it is written as CSV.
func FuzzDecodeTable(f *testing.F) {
	for _, seed := range []string{
		"key,value\na,1\n", "a;1,5\nb;\"2\"\"\n3\";\r\n", "\ufeffa\tb\r\rc\td", "sep=;\na;b", "a,\"1\nb,2\n\"c\",\"3\"\n",
		"\xff\xfea\x00,\x00b\x00", "\xfe\xff\x00a\x00,\x00b", "Gr\xf6\xdfe,5 \xb5m\n", "a,b,c\n,d\ne\n\"f", "\x00a,\x00\vb\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pairs, warnings, ok := importer.DecodeTable(data)
		if !ok {
			require.Empty(t, pairs)
			require.Empty(t, warnings)
			return
		}
		require.LessOrEqual(t, len(warnings), 21)
		for _, warning := range warnings {
			require.Less(t, len(warning), 200)
		}
		var again bytes.Buffer
		w := csv.NewWriter(&again)
		require.NoError(t, w.Write([]string{"key", "value"}))
		for _, p := range pairs {
			require.NotEmpty(t, p.Key)
			require.Equal(t, strings.TrimSpace(p.Key), p.Key)
			require.Equal(t, strings.Trim(p.Value, " \t"), p.Value)
			for _, s := range []string{p.Key, p.Value} {
				require.True(t, utf8.ValidString(s))
				require.NotContains(t, strings.Map(func(r rune) rune {
					if unicode.IsControl(r) && r != '\n' && r != '\t' {
						return 0
					}
					return r
				}, s), "\x00")
			}
			require.NoError(t, w.Write([]string{p.Key, p.Value}))
		}
		w.Flush()
		same, warnings, ok := importer.DecodeTable(again.Bytes())
		require.True(t, ok)
		require.Empty(t, warnings)
		require.Equal(t, pairs, same)

		text := string(data)
		if !utf8.ValidString(text) || strings.HasPrefix(text, "\ufeff") {
			return
		}
		for _, encoded := range [][]byte{
			[]byte("\ufeff" + text), inUTF16(text, false), inUTF16(text, true), []byte(strings.ReplaceAll(strings.ReplaceAll(text, "\r", "\n"), "\n", "\r")),
		} {
			if strings.Contains(text, "\r\n") && !bytes.Contains(encoded, []byte("\n")) {
				continue // another number of lines
			}
			same, _, ok := importer.DecodeTable(encoded)
			require.True(t, ok)
			require.Equal(t, pairs, same)
		}
	})
}
