package shlex_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest/internal/shlex"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		``:                    nil,
		`  a  b	c `:           {"a", "b", "c"},
		`'a b' c`:             {"a b", "c"},
		`'ns=a b'`:            {"ns=a b"},
		`name='a b'c`:         {"name=a bc"},
		`"a \"b\" \\ \n" c`:   {`a "b" \ \n`, "c"},
		`'a \ "b"'`:           {`a \ "b"`},
		`'it'\''s'`:           {"it's"},
		`'it'"'"'s'`:          {"it's"},
		`a\ b \'`:             {"a b", "'"},
		`'' ""`:               {"", ""},
		`a#b # c`:             {"a#b", "#", "c"},
		`ann = new 'Ä µ'`:     {"ann", "=", "new", "Ä µ"},
		"a\u00a0b":            {"a\u00a0b"},
		`x='$HOME' "$HOME" *`: {"x=$HOME", "$HOME", "*"},
	} {
		got, err := shlex.Split(line)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
}

func TestUnfinished(t *testing.T) {
	for line, want := range map[string]string{
		`a 'b`:  "No closing quotation",
		`a "b'`: "No closing quotation",
		`it's`:  "No closing quotation",
		`a\`:    "No escaped character",
		`"a\`:   "No escaped character",
	} {
		_, err := shlex.Split(line)
		require.EqualError(t, err, want, line)
	}
}
