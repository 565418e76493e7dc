package preprocess_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
)

func TestOutput_keepsTheEnd(t *testing.T) {
	t.Parallel()
	o := preprocess.NewOutput(preprocess.Watch{})
	for i := range 450 {
		fmt.Fprintf(o.Writer(preprocess.Stdout), "line %d\n", i)
	}
	require.Equal(t, "The end of its output: line 447 | line 448 | line 449", o.Ending())
	fmt.Fprint(o.Writer(preprocess.Stderr), "a warning\n\n")
	fmt.Fprint(o.Writer(preprocess.Stdout), "[1]\n \n\xff\x1b[31mlate\x00")
	require.Equal(t, "[1]", string(o.Answer()))
	o.Close()
	require.Equal(t, "The end of its output: a warning | [1] | \uFFFD [31mlate\uFFFD", o.Ending())
	require.Equal(t, "It wrote nothing.", preprocess.NewOutput(preprocess.Watch{}).Ending())
}

// However the text is cut into pieces, the lines are the same.
func TestOutput_splitsLines(t *testing.T) {
	t.Parallel()
	text := "a\r\nb\n\n10%\rdone 20 %\rend\nno percent 300% 7.5%\n" + strings.Repeat("x", 5000) + "\nlast"
	want := []string{"a", "b", "", "end", "no percent 300% 7.5%", strings.Repeat("x", preprocess.MaxLine), "last"}
	for _, size := range []int{1, 2, 3, 7, 10_000} {
		var lines []string
		var percents []int
		o := preprocess.NewOutput(preprocess.Watch{
			Line: func(_ preprocess.Stream, line string) { lines = append(lines, line) }, Progress: func(p int) { percents = append(percents, p) },
		})
		for rest := []byte(text); len(rest) > 0; rest = rest[min(size, len(rest)):] {
			n, err := o.Writer(preprocess.Stdout).Write(rest[:min(size, len(rest))])
			require.NoError(t, err)
			require.Equal(t, min(size, len(rest)), n)
		}
		o.Close()
		require.Equal(t, want, lines)
		require.Equal(t, []int{10, 20, 7}, percents)
	}
}

func TestOutput_isBounded(t *testing.T) {
	t.Parallel()
	o := preprocess.NewOutput(preprocess.Watch{})
	block := bytes.Repeat([]byte("y"), 1<<20)
	for range 100 {
		_, _ = o.Writer(preprocess.Stdout).Write(block)
	}
	o.Close()
	require.Len(t, o.Answer(), preprocess.MaxAnswer+1)
	require.Less(t, len(o.Ending()), 500)
}

func TestOutput_adoptsALongerAnswer(t *testing.T) {
	t.Parallel()
	long, short, other := preprocess.NewOutput(preprocess.Watch{}), preprocess.NewOutput(preprocess.Watch{}), preprocess.NewOutput(preprocess.Watch{})
	fmt.Fprintln(long.Writer(preprocess.Stdout), `[{"a": 1}]`)
	fmt.Fprintln(short.Writer(preprocess.Stdout), `1}]`)
	fmt.Fprintln(other.Writer(preprocess.Stdout), `[2]`)
	short.Adopt(other)
	require.Equal(t, `1}]`, string(short.Answer()))
	short.Adopt(long)
	require.Equal(t, `[{"a": 1}]`, string(short.Answer()))
}
