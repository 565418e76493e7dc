package terminaltest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// patience bounds every wait; none should come near it.
const patience = 60 * time.Second

// Screen is what somebody sees of a terminal.
type Screen struct {
	Terminal *os.File // for a program to write to

	t    testing.TB
	ours *os.File
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

// Open makes a terminal that lasts as long as the test.
func Open(tb testing.TB) *Screen {
	tb.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(tb, err)
	fd := int(ours.Fd())
	require.NoError(tb, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(tb, err)
	require.NoError(tb, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 200}))
	s := &Screen{t: tb, ours: ours, news: make(chan struct{}, 1)}
	s.Terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(tb, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.read(ours)
	}()
	tb.Cleanup(func() {
		_ = s.Terminal.Close() // the last one, so that reading ends
		<-done
		_ = ours.Close()
	})
	return s
}

func (s *Screen) read(from *os.File) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		s.mu.Lock()
		s.text.Write(buffer[:n])
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Type writes a line as somebody at the terminal does.
func (s *Screen) Type(line string) {
	s.t.Helper()
	_, err := s.ours.WriteString(line + "\n")
	require.NoError(s.t, err)
}

// Text is all that was written so far.
func (s *Screen) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Await waits until a text was written.
func (s *Screen) Await(text string) {
	s.t.Helper()
	late := time.After(patience)
	for !strings.Contains(s.Text(), text) {
		select {
		case <-s.news:
		case <-late:
			require.Failf(s.t, "it was not written", "%q is not in %q", text, s.Text())
		}
	}
}
