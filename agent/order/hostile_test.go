package order

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// hostileSizes are the lengths of the texts. What costs the square of its
// length is found between short and refused for its length alone. The race
// detector makes everything slow.
func hostileSizes() []int {
	if raceEnabled {
		return []int{MaxManifestBytes / 32}
	}
	return []int{MaxManifestBytes / 5, MaxManifestBytes}
}

// hostile is texts made to cost a parser time or memory.
func hostile(size int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	deep := func(unit string) string {
		var b strings.Builder
		for i := 0; ; i++ {
			line := strings.Repeat(" ", i) + unit + "\n"
			if b.Len()+len(line) > size {
				return b.String()
			}
			b.WriteString(line)
		}
	}
	tail := func(head, unit string) string {
		return head + strings.Repeat(unit, max(size-len(head), 0)/len(unit))
	}
	key := strings.Repeat("k", size/5)
	keys := func() string {
		var b strings.Builder
		for i := 0; b.Len() < size-20; i++ {
			fmt.Fprintf(&b, "k%d: v\n", i)
		}
		return b.String()
	}
	long := strings.Repeat("k", 120)
	texts := map[string]string{
		"plain scalar":             tail("a: ", "x "),
		"folded plain scalar":      tail("a: x", "\n x"),
		"many keys":                keys(),
		"many flow keys":           tail("{", "a: 1, "),
		"long key above a list":    tail(key+":\n", "- a\n"),
		"long key above flow":      tail("{"+key+": [", "a,"),
		"long keys above flow":     tail(strings.Repeat("{"+long+": ", 30)+"[", "a,"),
		"long keys above mappings": tail(strings.Repeat("{"+long+": ", 30), "b: {},"),
		"unclosed double quote":    tail(`a: "`, "x "),
		"escapes":                  tail(`a: "`, `\x41`),
		"lines in double quotes":   tail(`a: "`, "x\n "),
		"lines in single quotes":   tail(`a: '`, "x\n "),
		"literal":                  tail("a: |\n", "  x\n"),
		"folded":                   tail("a: >\n", "  x\n"),
		"literals":                 tail("a:\n", "- |\n  x\n"),
		"nested block maps":        deep("a:"),
		"nested block lists":       deep("-"),
		"nested list of maps":      deep("- a:"),
		"flow pairs":               tail("[", "a: "),
		"flow keys":                tail("[", "? "),
		"flow lists":               tail("[", "[],"),
		"flow keys alone":          tail("{", "a,"),
		"flow commas":              tail("[", ","),
		"flow in blocks":           tail("", "- [a]\n"),
		"maps in a list":           tail("", "- a: b\n"),
		"empty maps in a list":     tail("", "- {}\n"),
		"quoted keys":              tail("", "\"a\": b\n"),
		"commented entries":        tail("", "- #\n"),
		"nulls in flow":            tail("[", "~,"),
		"flow lines":               tail("[", "a,\n"),
		"flow quotes":              tail("[", "'a',"),
		"hash in a plain scalar":   tail("a: ", "x#"),
		"digits":                   tail("a: ", "1"),
		"bomb": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" +
			"c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
		"list below a valid order": tail("group: g\nuser: u\ndestination: {type: Dataset, id: 1}\nfiles:\n", "- ab\n"),
		"params below a valid order": tail("group: g\nuser: u\ndestination: {type: Dataset, id: 1}\nfiles: [a]\n"+
			"preprocessing:\n  container: c\n  params:\n", "    - ab\n"),
	}
	const legacy = "Username: a\nGroup: b\nDatasetID: 1\nFiles: "
	for head, units := range map[string][]string{
		"[/a": {",", ", ", ",a", ",/a", ",\t/"}, "[a": {",", ",a"}, "['a'": {",'a'", ", \"\\x41\"", ","}, "[\"a\"": {",\"a\""},
	} {
		for _, unit := range units {
			more := strings.Repeat(unit, (size-len(legacy+head)-2)/len(unit))
			texts["valid or too long a legacy list of "+quote(head+unit)] = legacy + head + more + "]\n"
		}
	}
	for _, unit := range []string{
		"[", "{", "]", "}", "[]", "{}", "- ", "? ", ": ", "-\n", "?\n", ":\n", "a: ", "a:\n", "- a\n", "- - ", "-\t", "a: b\n", "x #\n", "{\n", "[\n", "{a: ", "[{",
		"&a ", "*a ", "!a ", "!!map ", "<<: ", "%a\n", "---\n", "...\n", "#", "# a\n", "\n", "\r", "\r\n", " ", "\t", "\"", "'", "''", "\"\" ", "|", "|\n", ">\n", "@", "`", "\\", "é", "\u2028", "\u0085", ",", "-", "k",
	} {
		texts["repeated "+quote(unit)] = fill(unit)
	}
	return texts
}

// Whatever a file holds, reading it ends soon and takes little memory. Nothing
// runs beside it, since memory is measured.
func TestHostileText(t *testing.T) {
	for _, size := range hostileSizes() {
		for name, text := range hostile(size) {
			t.Run(fmt.Sprintf("%s of %d bytes", name, size), func(t *testing.T) {
				endsSoon(t, func() error { _, err := DecodeManifest("order.yml", []byte(text)); return err }, name)
				endsSoon(t, func() error { _, err := DecodeLegacy("2024_01_02_03-04-05.txt", []byte(text)); return err }, name)
				endsSoon(t, func() error { _, err := DecodePaths(text); return err }, name)
			})
		}
	}
}

func endsSoon(t *testing.T, decode func() error, name string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	// The time of its own thread: other tests may keep the processors.
	runtime.LockOSThread()
	start := threadTime(t)
	err := decode()
	took := threadTime(t) - start
	runtime.UnlockOSThread()
	runtime.ReadMemStats(&after)
	require.Less(t, took, time.Second)
	require.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(400), "MB allocated")
	if err == nil {
		require.Contains(t, name, "valid", "it was accepted")
		return
	}
	require.Equal(t, Invalid, ClassOf(err))
	require.Less(t, len(err.Error()), 600)
}

func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestManifestTooLarge(t *testing.T) {
	t.Parallel()
	_, err := DecodeManifest("order.yml", make([]byte, MaxManifestBytes+1))
	require.EqualError(t, err, `order.yml:1:1: The file is larger than 1048576 bytes. `+
		`Expected a smaller file; name folders, or patterns such as "*.tif", in place of single files.`)
}
