package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

// A user's folders, which root, who may run the tests, does not get.
func TestUserStateDir(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOME": "/home/ada"}, "/home/ada/.local/state/biomero-importer"},
		{map[string]string{"HOME": "/home/ada", "XDG_STATE_HOME": "/x"}, "/x/biomero-importer"},
		{map[string]string{"HOME": "/home/ada", "XDG_STATE_HOME": "x"}, "/home/ada/.local/state/biomero-importer"},
		{map[string]string{"XDG_STATE_HOME": ""}, ""},
	} {
		require.Equal(t, tc.want, userStateDir(func(name string) (string, bool) {
			value, ok := tc.env[name]
			return value, ok
		}))
	}
}

func TestStateDir_hasNoDefaultWithoutAHome(t *testing.T) {
	t.Parallel()
	f := defaults("")
	for file, place := range map[string]string{"": "", "settings.yml": "settings.yml:1: "} {
		_, err := f.config(newSource(file))
		require.EqualError(t, err, place+"state_dir has no default where HOME is not set: give an absolute path")
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}
