package watcher

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is copied in together is handed over together, though its files settle
// one after the other and lie in several folders of the place.
func TestCopiedTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir + "/{dataset}", Settle: 3 * time.Second}}})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range 30 {
		<-tick.C
		write(t, fmt.Sprintf("%s/Retina/%d/image%d.tif", dir, i%3, i), "x")
	}
	box.wait(t, 30)
	require.Equal(t, []int{30}, box.sizes)
}

// A whole batch, of many folders, is one for the sink.
func TestBatchIsCopiedTogether(t *testing.T) {
	dir := t.TempDir()
	box := newInbox()
	for i := range maxBatch {
		write(t, fmt.Sprintf("%s/Retina/%d/%d.tif", dir, i%100, i), "x")
	}
	start(t, box, Options{Rules: []Rule{{Path: dir + "/{dataset}", Settle: 3 * time.Second}}})
	box.wait(t, maxBatch)
	require.Equal(t, []int{maxBatch}, box.sizes)
}

// A stream of files that does not end is handed over in parts.
func TestStreamIsNotHeldBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := newInbox()
	start(t, box, Options{Rules: []Rule{{Path: dir, Settle: 300 * time.Millisecond}}})
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	late := time.After(deadline)
	for i := 0; len(box.all()) == 0; i++ {
		write(t, fmt.Sprintf("%s/%d/image%d.tif", dir, i%3, i), "x")
		select {
		case <-tick.C:
		case <-late:
			require.FailNow(t, "nothing is handed over while more comes")
		}
	}
}
