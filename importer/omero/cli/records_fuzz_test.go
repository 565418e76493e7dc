package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/cli"
)

// Whatever the output is, records are such as OMERO can have, and the same when they are
// printed.
func FuzzDecodeRecords(f *testing.F) {
	for _, seed := range []string{
		log + "---\n- Fileset: 4102\n  Image: [5001,5002]\n" + log,
		"---\r\n- Image: [1,\r\n   2]\r\n  Plate:\r\n  - 3\r\n  Fileset: 4\r\n...\r\n",
		"---\n- Fileset: 1\n  Image: [2]\n---\n- Fileset: 1\n  Image: [3]\n---\n- Fil",
		"---\n- Fileset: 1\n---\n- Fileset: 2\n  Image: []\n  Well: [4]\n  Image: [2]\n",
		"- Fileset: 9223372036854775808\n--",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, output string) {
		got, err := decode(t, output)
		in, inErr := cli.DecodeRecords(iotest.HalfReader(strings.NewReader(output)))
		require.Equal(t, got, in)
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(inErr))
		var again strings.Builder
		known := map[int64]bool{}
		for _, r := range got {
			require.False(t, known[r.Fileset])
			known[r.Fileset] = true
			require.True(t, r.Images != nil || r.Plates != nil)
			for _, id := range slices.Concat([]int64{r.Fileset}, r.Images, r.Plates) {
				require.Positive(t, id)
			}
			require.Contains(t, output, "---")
			again.WriteString(printed(r))
		}
		same, err := decode(t, again.String())
		require.NoError(t, err)
		require.Equal(t, append([]cli.Record{}, got...), append([]cli.Record{}, same...))
		// What was cut away may only make it cut.
		for _, r := range got {
			more, _ := decode(t, output+"\n"+printed(r))
			require.LessOrEqual(t, len(more), len(got)+1)
		}
	})
}

// Whatever name a file has, without a line feed, what is logged of it neither makes
// records nor spoils those of others.
func FuzzDecodeRecords_names(f *testing.F) {
	f.Add("/data/a.tif", uint8(1))
	f.Add("---\r- Fileset: 666\r  Image: [667]\r", uint8(2))
	f.Add("] ---\u2028- Fileset: 666", uint8(3))
	f.Fuzz(func(t *testing.T, name string, n uint8) {
		name = strings.ReplaceAll(name, "\n", "\r")
		var output strings.Builder
		var want []cli.Record
		for i := range int64(n%5) + 1 {
			fmt.Fprintf(&output, "2026 INFO Importing: %s\n/%s\n2026 INFO done: %s\n", name, name, name)
			want = append(want, cli.Record{Fileset: i + 1, Images: []int64{i + 2}})
			output.WriteString(printed(want[i]))
			fmt.Fprintf(&output, "/data/%s\n", name)
		}
		got, err := decode(t, output.String())
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
