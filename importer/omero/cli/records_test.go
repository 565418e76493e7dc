package cli_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/cli"
)

// log is what the import client writes besides.
const log = "2026-11-28 10:00:00,123 456        [main] INFO   ormats.importer.cli.LoggingImportMonitor - IMPORT_DONE Imported file: /data/a.tif\n"

func decode(t *testing.T, output string) ([]cli.Record, error) {
	t.Helper()
	return cli.DecodeRecords(strings.NewReader(output))
}

func TestDecodeRecords(t *testing.T) {
	t.Parallel()
	one := []cli.Record{{Fileset: 4102, Images: []int64{5001, 5002}}}
	plate := []cli.Record{{Fileset: 4102, Images: []int64{5001, 5002}, Plates: []int64{3}}}
	for name, tc := range map[string]struct {
		output string
		want   []cli.Record
	}{
		"nothing":              {"", nil},
		"only log lines":       {log + "\n\n" + log, nil},
		"one":                  {"---\n- Fileset: 4102\n  Image: [5001,5002]\n", one},
		"blanks":               {"--- \n- Fileset:  4102 \n  Image:  [ 5001 , 5002 ] \n", one},
		"CRLF":                 {"---\r\n- Fileset: 4102\r\n  Image: [5001,5002]\r\n", one},
		"image first":          {"---\n- Image: [5001,5002]\n  Fileset: 4102\n", one},
		"plate":                {"---\n- Fileset: 4102\n  Plate: [3]\n  Image: [5001,5002]\n", plate},
		"plate first":          {"---\n- Plate: [3]\n  Image: [5001,5002]\n  Fileset: 4102\n", plate},
		"plate alone":          {"---\n- Plate: [3]\n  Fileset: 1\n", []cli.Record{{Fileset: 1, Plates: []int64{3}}}},
		"other classes":        {"---\n- Fileset: 4102\n  Well: [7,8]\n  Image: [5001,5002]\n  Screen:\n  - 9\n", one},
		"other class first":    {"---\n- Well: [7]\n  Image: [5001,5002]\n  Fileset: 4102\n", one},
		"log lines around":     {log + "---\n- Fileset: 4102\n  Image: [5001,5002]\n" + log, one},
		"indented lines after": {"---\n- Fileset: 4102\n  Image: [5001,5002]\n  at x(y:1)\n  Cause: z\n  Warnings:\n  - some\n", one},
		"dashes before":        {"---\n---\n" + log + "---\n---\n- Fileset: 4102\n  Image: [5001,5002]\n", one},
		"end of the document":  {"---\n- Fileset: 4102\n  Image: [5001,5002]\n...\n", one},
		"blank line after":     {"---\n- Fileset: 4102\n  Image: [5001,5002]\n\n", one},
		"folded":               {"---\n- Fileset: 4102\n  Image: [5001,\n    5002]\n", one},
		"folded more":          {"---\n- Image: [\n    5001\n   ,\n    5002\n    ]\n  Fileset: 4102\n", one},
		"with dashes":          {"---\n- Fileset: 4102\n  Image:\n  - 5001\n  - 5002\n", one},
		"with dashes, in":      {"---\n- Image:\n    - 5001\n    - 5002\n  Plate:\n    - 3\n  Fileset: 4102\n", plate},
		"no images":            {"---\n- Fileset: 4102\n  Image: []\n", []cli.Record{{Fileset: 4102, Images: []int64{}}}},
		"no end of the line":   {"---\n- Fileset: 4102\n  Image: [5001,5002]", one},
		"cut log line":         {"---\n- Fileset: 4102\n  Image: [5001,5002]\n2026-", one},
		"the same twice":       {strings.Repeat("---\n- Fileset: 4102\n  Image: [5001,5002]\n", 2), one},
		"the same in another order": {
			"---\n- Fileset: 4102\n  Image: [5001,5002]\n---\n- Image: [5001,\n   5002]\n  Fileset: 4102\n", one,
		},
		"the largest": {
			fmt.Sprintf("---\n- Fileset: %d\n  Image: [1]\n", int64(math.MaxInt64)), []cli.Record{{Fileset: math.MaxInt64, Images: []int64{1}}},
		},
		"several": {
			"---\n- Fileset: 1\n  Image: [2]\n---\n- Fileset: 2\n  Image: [3]\n" + log + "---\n- Image: [4]\n  Fileset: 3\n",
			[]cli.Record{{Fileset: 1, Images: []int64{2}}, {Fileset: 2, Images: []int64{3}}, {Fileset: 3, Images: []int64{4}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(t, tc.output)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			got, err = cli.DecodeRecords(iotest.OneByteReader(strings.NewReader(tc.output)))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

// Lines that resemble a record are none, and nothing is wrong with the output.
func TestDecodeRecords_passesOverLogLines(t *testing.T) {
	t.Parallel()
	for _, output := range []string{
		"Fileset: 1\nImage: [2]\n",
		"--- \t\n",
		" ---\n",
		"----\n",
		"--- # a document\n",
		"--- \n2026 INFO\n",
		"INFO ---\n",
		"---\nFileset: 1\nImage: [2]\n",
		"---\n-Fileset: 1\n",
		"---\n-  Fileset: 1\n",
		"---\n - Fileset: 1\n",
		"---\n- fileset: 1\n  image: [2]\n",
		"---\n- 'Fileset': 1\n  'Image': [2]\n",
		"---\n- ? Fileset\n",
		"---\n- {Fileset: 1, Image: [2]}\n",
		"---\n{Fileset: 1, Image: [2]}\n",
		"---\n- &a Fileset: 1\n",
		"---\n- !!map Fileset: 1\n",
		"---\n- group: /data/a.tif\n  spw: false\n  reader: R\n  files:\n    - /data/a.tif\n",
		"--- - Fileset: 1\n  - Image: [2]\n",
		"---\u0085- Fileset: 1\u0085  Image: [2]\n",
		"---\u2028- Fileset: 1\u2028  Image: [2]\n",
		"---\r- Fileset: 1\r  Image: [2]\n",
		"---\v- Fileset: 1\f  Image: [2]\x00\n",
		"Some text of 2 lines:\n  a: b\n",
		"- a list\n  of: two\n",
	} {
		got, err := decode(t, output)
		require.NoError(t, err, "%q", output)
		require.Empty(t, got, "%q", output)
	}
}

func TestDecodeRecords_refusesWhatIsNoWholeRecord(t *testing.T) {
	t.Parallel()
	const good = "---\n- Fileset: 1\n  Image: [2]\n"
	first := []cli.Record{{Fileset: 1, Images: []int64{2}}}
	for name, output := range map[string]string{
		"huge":                   "---\n- Fileset: 9223372036854775808\n  Image: [2]\n",
		"huger":                  "---\n- Fileset: 9\n  Image: [" + strings.Repeat("9", 1000) + "]\n",
		"zero":                   "---\n- Fileset: 0\n  Image: [2]\n",
		"negative":               "---\n- Fileset: -1\n  Image: [2]\n",
		"signed":                 "---\n- Fileset: +9\n  Image: [2]\n",
		"octal":                  "---\n- Fileset: 010\n  Image: [2]\n",
		"hex":                    "---\n- Fileset: 0x10\n  Image: [2]\n",
		"underscores":            "---\n- Fileset: 1_0\n  Image: [2]\n",
		"sexagesimal":            "---\n- Fileset: 1:30\n  Image: [2]\n",
		"fraction":               "---\n- Fileset: 1.0\n  Image: [2]\n",
		"quoted":                 "---\n- Fileset: \"9\"\n  Image: [2]\n",
		"other digits":           "---\n- Fileset: ٣\n  Image: [2]\n",
		"NUL":                    "---\n- Fileset: \x00\n  Image: [12,\n}}} : - %\n",
		"list of filesets":       "---\n- Fileset: [9]\n  Image: [2]\n",
		"comment":                "---\n- Fileset: 9 # 8\n  Image: [2]\n",
		"no list":                "---\n- Fileset: 9\n  Image: 2\n",
		"no id":                  "---\n- Fileset: 9\n  Image: [2,]\n",
		"no id between":          "---\n- Fileset: 9\n  Image: [2,,3]\n",
		"no comma":               "---\n- Fileset: 9\n  Image: [2\n   3]\n",
		"behind the list":        "---\n- Fileset: 9\n  Image: [2] [3]\n",
		"negative with dashes":   "---\n- Fileset: 9\n  Image:\n  - -2\n",
		"nested with dashes":     "---\n- Fileset: 9\n  Image:\n  - - 2\n",
		"indented too little":    "---\n- Fileset: 9\n  Image:\n - 2\n",
		"nested":                 "---\n- Fileset: 9\n  Image: [[2]]\n",
		"no images":              "---\n- Fileset: 9\n" + log,
		"no fileset":             "---\n- Image: [9]\n" + log,
		"neither":                "---\n- Well: [9]\n" + log,
		"null":                   "---\n- Fileset: 9\n  Image:\n  Plate: [3]\n",
		"interrupted":            "---\n- Fileset: 9\n" + log + "  Image: [2]\n",
		"interrupted later":      "---\n- Fileset: 1\n  Image: [2]\n" + log + "  Plate: [3]\n",
		"interrupted list":       "---\n- Fileset: 9\n  Image: [2,\n" + log + "    3]\n",
		"interrupted by another": "---\n- Fileset: 9\n---\n- Fileset: 1\n  Image: [2]\n",
		"start lost":             "- Fileset: 9\n  Image: [2]\n",
		"two filesets":           "---\n- Fileset: 9\n  Fileset: 8\n  Image: [2]\n",
		"two lists":              "---\n- Fileset: 9\n  Image: [2]\n  Image: [3]\n",
		"two in a document":      "---\n- Fileset: 1\n  Image: [2]\n- Fileset: 9\n  Image: [3]\n",
		"glued":                  "---\n- Fileset: 9\n  Ima---\n- Fileset: 1\n  Image: [2]\n",
		"parallel":               "---\n---\n- Fileset: 9\n- Fileset: 8\n  Image: [2]\n  Image: [3]\n",
		"parallel amid lines":    "---\n- Fileset: 9\n  Image: [  Image: [3]\n2]\n",
		"contradicted":           "---\n- Fileset: 9\n  Image: [2]\n---\n- Fileset: 9\n  Image: [2,3]\n---\n- Fileset: 9\n  Image: [2]\n",
		"contradicted in plates": "---\n- Fileset: 9\n  Image: [2]\n---\n- Fileset: 9\n  Image: [2]\n  Plate: [3]\n",
		"too long":               "---\n- Fileset: 9\n  Image: [2" + strings.Repeat(" ", cli.MaxDocument) + "]\n",
		"too many lines":         "---\n- Fileset: 9\n  Image: [2,\n" + strings.Repeat("   3,\n", cli.MaxDocument/5) + "  4]\n",
		"too many objects":       "---\n- Fileset: 9\n  Image: [1" + strings.Repeat(",1", cli.MaxObjects) + "]\n",
	} {
		for _, all := range []string{good + output, output + good, log + output + log + good + log} {
			got, err := decode(t, all)
			require.ErrorIs(t, err, cli.ErrGarbled, name)
			require.NotErrorIs(t, err, cli.ErrCut, name)
			require.Equal(t, first, got, name)
			require.Less(t, len(err.Error()), 200)
			require.NotContains(t, err.Error(), "\n")
		}
	}
}

func TestDecodeRecords_tellsWhereItIsWrong(t *testing.T) {
	t.Parallel()
	_, err := decode(t, log+"---\n- Fileset: 1\n"+log+"- Fileset: 2\n")
	require.EqualError(t, err, "the output of the import is garbled: what begins at line 2 is no whole record")
	_, err = decode(t, log+log+"  Image: [2]\n")
	require.EqualError(t, err, "the output of the import is garbled: what begins at line 3 is a part of a record, but not in one")
}

// Of an output that is cut anywhere, exactly the records before that are known.
func TestDecodeRecords_tellsThatItIsCut(t *testing.T) {
	t.Parallel()
	want := []cli.Record{
		{Fileset: 12, Images: []int64{34, 56}},
		{Fileset: 78, Images: []int64{90, 11}, Plates: []int64{13}},
		{Fileset: 14, Images: []int64{15}},
	}
	for _, documents := range [][]string{
		{"---\n- Fileset: 12\n  Image: [34,56]\n", "---\n- Plate: [13]\n  Image: [90,\n    11]\n  Fileset: 78\n", "---\n- Fileset: 14\n  Image: [15]\n"},
		{"---\n- Image: [34,56]\n  Fileset: 12\n", "---\n- Image:\n  - 90\n  - 11\n  Plate:\n    - 13\n  Fileset: 78\n", "---\n- Image: [15]\n  Fileset: 14\n"},
	} {
		output := strings.Join(documents, log)
		for end := range len(output) + 1 {
			cut := output[:end]
			got, err := decode(t, cut)
			// Where a record or a log line is whole, or nothing but the last line feed
			// behind a list is missing.
			known, rest := 0, cut
			for i, document := range documents {
				after, found := strings.CutPrefix(rest, document)
				if !found && rest == strings.TrimSuffix(document, "\n") && strings.HasSuffix(rest, "]") {
					after, found = "", true
				}
				if !found {
					break
				}
				known, rest = i+1, after
				if behind, found := strings.CutPrefix(rest, log); found {
					rest = behind
				} else if strings.HasPrefix(log, rest) {
					rest = ""
				}
			}
			require.Equal(t, want[:known], append([]cli.Record{}, got...), "%q", cut)
			if rest == "" {
				require.NoError(t, err, "%q", cut)
			} else {
				require.Equal(t, cli.ErrCut.Error(), err.Error(), "%q", cut)
			}
		}
	}
}

func TestDecodeRecords_takesAPlateForLacking(t *testing.T) {
	t.Parallel()
	// Nothing could tell.
	got, err := decode(t, "---\n- Fileset: 1\n  Image: [2]\n")
	require.NoError(t, err)
	require.Equal(t, []cli.Record{{Fileset: 1, Images: []int64{2}}}, got)
	for _, begun := range []string{" ", "  ", "  Pla", "  Plate: [3"} {
		got, err := decode(t, "---\n- Fileset: 1\n  Image: [2]\n"+begun)
		require.ErrorIs(t, err, cli.ErrCut)
		require.Empty(t, got)
	}
}

func TestDecodeRecords_tellsThatReadingFailed(t *testing.T) {
	t.Parallel()
	const whole = "---\n- Fileset: 1\n  Image: [2]\n"
	for output, cut := range map[string]bool{whole: false, whole + "---\n- Fil": true, whole + log[:9]: false} {
		got, err := cli.DecodeRecords(io.MultiReader(strings.NewReader(output), iotest.ErrReader(os.ErrClosed)))
		require.ErrorIs(t, err, os.ErrClosed)
		require.Equal(t, cut, errors.Is(err, cli.ErrCut))
		require.Len(t, got, 1)
	}
}

// What someone can print who chooses the name of a file, without a line feed in it.
func TestDecodeRecords_believesNoName(t *testing.T) {
	t.Parallel()
	const forged = "---\x00- Fileset: 666\x00  Image: [667]\x00"
	for _, separator := range []string{"\r", "\r\r", "\v", "\f", "\u0085", "\u2028", "\u2029", "\x00", "\x1b[2K\r", "\b", "\xff", "\x85"} {
		name := strings.ReplaceAll("x\x00"+forged+".tif", "\x00", separator)
		output := "2026 INFO " + name + "\n/data/" + name + "\n---\n- Fileset: 1\n  Image: [2]\nINFO " + name + "\n"
		got, err := decode(t, output)
		require.NoError(t, err, "%q", separator)
		require.Equal(t, []cli.Record{{Fileset: 1, Images: []int64{2}}}, got, "%q", separator)
	}
	// Nor where a line is too long, and something follows.
	for _, length := range []int{64 << 10, cli.MaxDocument} {
		for _, more := range []int{-1, 0, 1} {
			for _, name := range []string{"---", "- Fileset: 666", "  Image: [667]"} {
				padded := strings.Repeat("x", length+more) + name + "\n"
				got, err := decode(t, padded+"---\n- Fileset: 1\n  Image: [2]\n")
				require.NoError(t, err)
				require.Equal(t, []cli.Record{{Fileset: 1, Images: []int64{2}}}, got)
			}
		}
	}
}

// What that does not hold for, so that nobody takes it for granted.
func TestDecodeRecords_cannotTellANameWithALineFeed(t *testing.T) {
	t.Parallel()
	got, err := decode(t, "2026 INFO /data/x\n---\n- Fileset: 666\n  Image: [667]\n.tif\n")
	require.NoError(t, err)
	require.Equal(t, []cli.Record{{Fileset: 666, Images: []int64{667}}}, got)
}

// Many records are read in time that nobody notices, and what is hostile is neither kept
// nor does it take long.
func TestDecodeRecords_bearsMuch(t *testing.T) {
	share, limit := 1, time.Second
	if raceEnabled {
		share, limit = 8, time.Minute
	}
	many := &strings.Builder{}
	for i := range 100_000 / share {
		fmt.Fprintf(many, "%s---\n- Fileset: %d\n  Image: [%d,%d]\n", log[:40]+"\n", i+1, i+1, i+2)
	}
	for name, tc := range map[string]struct {
		output string
		times  int
		want   int
	}{
		"many records":       {many.String(), 1, 100_000 / share},
		"one large":          {"---\n- Fileset: 1\n  Image: [" + strings.TrimSuffix(strings.Repeat("123456789,", 1<<18), ",") + "]\n", 1, 1},
		"large folded":       {"---\n- Fileset: 1\n  Image: [" + strings.TrimSuffix(strings.Repeat("1,\n   ", 1<<19), ",\n   ") + "]\n", 1, 0},
		"folded":             {"---\n- Fileset: 1\n  Image: [" + strings.TrimSuffix(strings.Repeat("1,\n   ", 1<<18), ",\n   ") + "]\n", 1, 1},
		"log lines":          {log, 300_000 / share, 0},
		"one line":           {"0123456789abcdef", 2 << 20 / share, 0},
		"empty lines":        {"\n", 1 << 20 / share, 0},
		"dashes":             {"---\n", 1 << 20 / share, 0},
		"one document":       {"---\n- Fileset: 1\n" + strings.Repeat("  Note: [1]\n", 1<<20/share), 1, 0},
		"keys":               {"---\n- Fileset: 1\n", 1 << 18 / share, 0},
		"the same":           {"---\n- Fileset: 1\n  Image: [2]\n", 1 << 18 / share, 1},
		"lists with no end":  {"---\n- Image: [1,\n", 1 << 18 / share, 0},
		"an endless list":    {"---\n- Image: [1" + strings.Repeat(",\n  2", 4<<20/share), 1, 0},
		"an endless list, -": {"---\n- Image:" + strings.Repeat("\n  - 2", 4<<20/share), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got []cli.Record
			var took time.Duration
			var before, after runtime.MemStats
			for range 5 { // others may be at work here
				runtime.GC()
				runtime.ReadMemStats(&before)
				start := time.Now()
				got, _ = cli.DecodeRecords(&repeated{text: tc.output, times: tc.times})
				took = time.Since(start)
				runtime.GC()
				runtime.ReadMemStats(&after)
				if took < limit {
					break
				}
			}
			t.Log(took)
			require.Len(t, got, tc.want)
			require.Less(t, took, limit)
			require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(40<<20))
			runtime.KeepAlive(got)
		})
	}
}

// repeated reads a text several times.
type repeated struct {
	text  string
	times int
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.at == len(r.text) {
		r.at, r.times = 0, r.times-1
	}
	if r.times == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	r.at += n
	return n, nil
}

func TestDecodeRecords_keepsNoMoreThanItsBound(t *testing.T) {
	t.Parallel()
	half := make([]int64, cli.MaxObjects/2)
	for i := range half {
		half[i] = 1
	}
	first, second := cli.Record{Fileset: 1, Images: half}, cli.Record{Fileset: 2, Plates: half}
	small := cli.Record{Fileset: 3, Images: []int64{4}}
	got, err := decode(t, printed(first)+printed(second)+printed(small))
	require.ErrorIs(t, err, cli.ErrGarbled)
	require.ErrorContains(t, err, "line 4 lists too many objects")
	require.Equal(t, []cli.Record{first, small}, got)
}

// printed is a record as OMERO prints it.
func printed(r cli.Record) string {
	list := func(ids []int64) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", ",") }
	text := fmt.Sprintf("---\n- Fileset: %d\n", r.Fileset)
	if r.Images != nil {
		text += "  Image: [" + list(r.Images) + "]\n"
	}
	if r.Plates != nil {
		text += "  Plate: [" + list(r.Plates) + "]\n"
	}
	return text
}
