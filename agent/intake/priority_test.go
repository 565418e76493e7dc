package intake_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// priority is that of the order that a drop became.
func (f *fixture) priority(path string) int {
	f.t.Helper()
	st, err := f.store.Show(f.t.Context(), f.becomes(path, tracking.DropTaken).UUID)
	require.NoError(f.t, err)
	return st.Priority
}

func TestPriority_ofAManifest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule    int
		trusted bool
		line    string
		want    int
		refused string
	}{
		"none, as its rule":           {rule: 10, want: 10},
		"none, as its rule below 0":   {rule: -10, want: -10},
		"none, where any is allowed":  {rule: 10, trusted: true, want: 10},
		"lower":                       {rule: 10, line: "priority: -3", want: -3},
		"0 is lower, too":             {rule: 10, line: "priority: 0", want: 0},
		"the same":                    {rule: 10, line: "priority: 10", want: 10},
		"higher":                      {rule: 10, line: "priority: 11", refused: "order.yml: its priority is 11, but in its folder it may be 10 at most: lower it, or leave it out."},
		"higher than a rule's of 0":   {line: "priority: 1", refused: "its priority is 1, but in its folder it may be 0 at most"},
		"0 where the rule's is below": {rule: -10, line: "priority: 0", refused: "its priority is 0, but in its folder it may be -10 at most"},
		"higher, where any's allowed": {rule: 10, trusted: true, line: "priority: 100", want: 100},
		"none that there is":          {trusted: true, line: "priority: 101", refused: `The priority "101" is not one.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.config.Rules[manifests].Priority, f.config.Rules[manifests].AllowAnyUser = tc.rule, tc.trusted
			f.restart()
			f.write("x", "Demo/ada/m/a.tif")
			path := f.write(fmt.Sprintf(manifest, "a.tif")+"wait_for: present\n"+tc.line+"\n", "Demo/ada/m/order.yml")
			d := f.drop(manifests, true, path)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			fault := f.Validate(d, data)
			f.settle(d)
			if tc.refused != "" {
				require.Contains(t, f.becomes(path, tracking.DropRefused).Reason, tc.refused)
				require.ErrorContains(t, fault, tc.refused)
				require.Empty(t, f.orders())
				return
			}
			require.NoError(t, fault)
			require.Equal(t, tc.want, f.priority(path))
		})
	}
}

// A refused manifest is mended as any other, and an edited one is as urgent as it
// says then.
func TestPriority_isThatOfTheManifestAsItIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.Rules[manifests].Priority = 10
	f.restart()
	f.write("x", "Demo/ada/m/a.tif")
	text := fmt.Sprintf(manifest, "a.tif") + "wait_for: present\n"
	write := func(line string) string {
		path := f.write(text+line, "Demo/ada/m/order.yml")
		f.settle(f.drop(manifests, true, path))
		return path
	}
	f.becomes(write("priority: 50\n"), tracking.DropRefused)
	path := write("priority: 5\n")
	require.Equal(t, 5, f.priority(path))
	write("")
	f.eventually(func() bool { return len(f.orders()) == 2 })
	require.Equal(t, 10, f.priority(path))
}

func TestPriority_ofDropsAndLegacyOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	head := f.config.Rules[inbox].Order
	f.config.Rules[inbox].Order = func(c map[string]string) (order.Order, error) {
		o, err := head(c)
		o.Priority = 10
		return o, err
	}
	f.restart()
	a := f.write("x", "Demo/ada/in/a.tif")
	f.settle(f.drop(inbox, false, a))
	require.Equal(t, 10, f.priority(a))
	old := f.write(fmt.Sprintf(legacyOrder, f.write("x", "core/b.tif")), "core/.2BUploaded/2024_01_31_10-20-30.txt")
	f.settle(f.drop(legacy, true, old))
	require.Zero(t, f.priority(old))
}
