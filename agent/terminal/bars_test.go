package terminal

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/terminal/terminaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBars_areDrawnBelowLines(t *testing.T) {
	t.Parallel()
	screen := terminaltest.Open(t)
	require.True(t, Is(screen.Terminal))
	b := NewBars(screen.Terminal)
	b.Set("a", "order a", "2 of 4 files", 2, 4)
	screen.Await("order a")
	require.Regexp(t, `order a +\[=+>-+\] 2 of 4 files`, screen.Text())
	b.Set("a", "order \x1b[31mred", "all", 4, 4)
	screen.Await("order ?[31mred")
	b.Set("b", "order b", "begins", 0, 0)
	screen.Await("order b")
	b.End("a")
	b.Line("a is \x1b[31mdone")
	screen.Await("a is ?[31mdone")
	b.Close()
	require.NotContains(t, screen.Text(), "\x1b[31m", "what strangers wrote does not steer the terminal")
}

func TestIs_aTerminal(t *testing.T) {
	t.Parallel()
	require.False(t, Is(&bytes.Buffer{}))
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	require.False(t, Is(f))
	require.Equal(t, "a?b", Printable("a\nb"))
	require.Equal(t, "fit?.exe", Printable("fit\u202e.exe"))
	require.Equal(t, strings.Repeat("ä", 3), Printable("äää"))
}
