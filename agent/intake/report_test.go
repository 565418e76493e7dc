package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLegacy_movedToWhereAnEarlierOneLiesKeepsBoth(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.report()
	const name = "2024_01_31_10-20-30.txt"
	for i, as := range []string{name, "2024_01_31_10-20-30.2.txt", "2024_01_31_10-20-30.3.txt"} {
		text := fmt.Sprintf(legacyOrder, fmt.Sprintf("/etc/passwd%d", i))
		f.settle(f.drop(legacy, true, f.write(text, "core/.2BUploaded/"+name)))
		moved := filepath.Join(f.dir, "core/.failed_uploads/ada", as)
		f.eventually(func() bool { _, err := os.Stat(moved); return err == nil && f.reports(`true`) == 0 })
		data, err := os.ReadFile(moved)
		require.NoError(t, err)
		require.Equal(t, text, string(data))
		data, err = os.ReadFile(moved + ".rejected.txt")
		require.NoError(t, err)
		require.Contains(t, string(data), fmt.Sprintf("/etc/passwd%d", i))
	}
}
