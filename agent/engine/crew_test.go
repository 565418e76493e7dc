package engine

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// goroutine names the one that asks.
func goroutine() string {
	stack := make([]byte, 100)
	header, _, _ := strings.Cut(string(stack[:runtime.Stack(stack, false)]), "[")
	return header
}

func TestCrew_doesAtOnceAndStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails where anybody stays once the crew is dismissed
		c := newCrew()
		release, did := make(chan struct{}), map[string]int{}
		c.do(func() { <-release })
		for range 100 {
			c.do(func() { did[goroutine()]++ })
			synctest.Wait()
		}
		require.Len(t, did, 1, "one did them all, while another has one that takes long")
		c.dismiss()
		close(release)
		synctest.Wait()
		c.do(func() { did["late"]++ })
		synctest.Wait()
		require.Equal(t, 1, did["late"])
	})
}

func TestCrew_forgetsWhatItDid(t *testing.T) {
	t.Parallel()
	c := newCrew()
	defer c.dismiss()
	did, forgotten := make(chan byte), make(chan struct{})
	func() {
		order := new([64]byte)
		runtime.AddCleanup(order, func(forgotten chan struct{}) { close(forgotten) }, forgotten)
		c.do(func() { did <- order[0] })
	}()
	<-did
	require.Eventually(t, func() bool {
		runtime.GC()
		select {
		case <-forgotten:
			return true
		default:
			return false
		}
	}, time.Minute, 10*time.Millisecond)
}
