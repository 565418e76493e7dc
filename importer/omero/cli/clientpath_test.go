package cli_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/cli"
)

func TestClientPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/data/a.tif":             "data/a.tif",
		"/":                       "",
		"":                        "",
		"//data///a b/c.tif/":     "data/a b/c.tif",
		`/a"b"`:                   "a'b'",
		"/a*b":                    "axb",
		"/C:/x":                   "C;/x",
		"/a<b>c":                  "a[b]c",
		"/what?":                  "what%",
		`/a\b|c`:                  "a!b!c",
		"/a\tb\nc\rd\x00e\x1ff":   "a_b_c_d_e_f",
		"/a\x7fb\u0080c\u0085d":   "a_b_c_d",
		"/a\u009fb\u00a0c":        "a_b\u00a0c",
		"/Größe µm/细胞/🔬.tif":      "Größe µm/细胞/🔬.tif",
		"/a\u2028b\u200bc":        "a\u2028b\u200bc",
		"/bad\xffname":            "bad\ufffdname",
		"/'x;[]%!_":               "'x;[]%!_",
		"/.hidden/a./b /-c/..d/~": ".hidden/a./b /-c/..d/~",

		// Names that Windows keeps for itself.
		"/aux/NUL/Con/prn/clock$":       "aux_/NUL_/Con_/prn_/clock$_",
		"/COM1/lpt9/com0/LPT10/COM":     "COM1_/lpt9_/com0/LPT10/COM",
		"/aux.tif/nUl.a.b/com5.":        "_aux.tif/_nUl.a.b/_com5.",
		"/clock$.x/console/auxiliary.x": "_clock$.x/console/auxiliary.x",
		"/$bar/$/a$/$a*b":               "_$bar/_$/a$/_$axb",
		"/.aux/a.aux/aux ":              ".aux/a.aux/aux ",
		"/au*/au*.tif/com1:":            "aux/aux.tif/com1;",

		// A test of omero-blitz itself, ServerFilePathTransformerTest, without the rules
		// that are optional.
		"/C:/Foo1./nUl.txt/coM5/$bar/.<>.": "C;/Foo1./_nUl.txt/coM5_/_$bar/.[].",
	} {
		require.Equal(t, want, cli.ClientPath(path), "%q", path)
	}
}

// Whatever a path holds, all of it can be stored, and is the same when it comes back.
func FuzzClientPath(f *testing.F) {
	f.Add("/data/a.tif")
	f.Add("//a\"*:<>?\\|\x00\x7f\u0085/$aux/aux./com1")
	f.Add("bad\xff/\xc2")
	f.Fuzz(func(t *testing.T, path string) {
		once := cli.ClientPath(path)
		require.True(t, utf8.ValidString(once))
		require.Negative(t, strings.IndexFunc(once, unicode.IsControl))
		require.False(t, strings.ContainsAny(once, "\"*:<>?\\|"))
		require.NotContains(t, once, "//")
		require.Equal(t, strings.Trim(once, "/"), once)
		if strings.Contains(path, "*") && strings.Contains(strings.ToLower(once), "aux") {
			return // OMERO's own flaw: "au*" becomes "aux", and that "aux_"
		}
		require.Equal(t, once, cli.ClientPath(once))
	})
}
