package argparse_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest/internal/argparse"
)

func newParser() *argparse.Parser {
	login := []argparse.Arg{
		{Names: []string{"-s", "--server"}, Dest: "server", Nargs: argparse.One},
		{Names: []string{"-q", "--quiet"}, Dest: "quiet"},
		{Names: []string{"-C", "--create"}, Dest: "create"},
	}
	return &argparse.Parser{Prog: "p", Args: login, Subs: map[string]*argparse.Parser{
		"run": {Prog: "p run", Args: append(login[:3:3],
			argparse.Arg{Names: []string{"--skip"}, Dest: "skip", Nargs: argparse.One, Append: true, Choices: []string{"all", "none"}},
			argparse.Arg{Names: []string{"--skim"}, Dest: "skim", Nargs: argparse.One},
			argparse.Arg{Names: []string{"--limit"}, Dest: "limit", Nargs: argparse.One, Int: true},
			argparse.Arg{Names: []string{"--file"}, Dest: "file", Nargs: argparse.Optional},
			argparse.Arg{Names: []string{"-c"}, Dest: "c"},
			argparse.Arg{Dest: "path", Nargs: argparse.Any},
		)},
		"one": {Prog: "p one", Args: []argparse.Arg{
			{Dest: "first", Nargs: argparse.One},
			{Names: []string{"-x"}, Dest: "x"},
			{Dest: "rest", Nargs: argparse.Any},
		}},
	}}
}

func TestAccepted(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want argparse.Values
	}{
		"options on both sides":     {[]string{"-q", "-s", "h", "run", "a"}, argparse.Values{"quiet": {""}, "server": {"h"}, "path": {"a"}}},
		"options behind":            {[]string{"run", "-q", "-s", "h", "a", "b"}, argparse.Values{"quiet": {""}, "server": {"h"}, "path": {"a", "b"}}},
		"the last one counts":       {[]string{"-s", "a", "run", "-s", "b"}, argparse.Values{"server": {"b"}}},
		"short options in one":      {[]string{"run", "-qC"}, argparse.Values{"quiet": {""}, "create": {""}}},
		"short ones with a value":   {[]string{"run", "-qsh"}, argparse.Values{"quiet": {""}, "server": {"h"}}},
		"a value right behind":      {[]string{"run", "-shost"}, argparse.Values{"server": {"host"}}},
		"a value after =":           {[]string{"run", "--server=a=b"}, argparse.Values{"server": {"a=b"}}},
		"an empty value":            {[]string{"run", "--server="}, argparse.Values{"server": {""}}},
		"an abbreviation":           {[]string{"run", "--serv", "h"}, argparse.Values{"server": {"h"}}},
		"an abbreviation with =":    {[]string{"run", "--lim=3"}, argparse.Values{"limit": {"3"}}},
		"a repeated option":         {[]string{"run", "--skip", "all", "--skip", "none"}, argparse.Values{"skip": {"all", "none"}}},
		"a negative number":         {[]string{"run", "--limit", "-1"}, argparse.Values{"limit": {"-1"}}},
		"a value that may be left":  {[]string{"run", "--file", "-c", "a"}, argparse.Values{"c": {""}, "path": {"a"}}},
		"a dash":                    {[]string{"run", "-"}, argparse.Values{"path": {"-"}}},
		"everything after --":       {[]string{"run", "-c", "--", "--server", "-x"}, argparse.Values{"c": {""}, "path": {"--server", "-x"}}},
		"a dash and a space":        {[]string{"run", "-a b"}, argparse.Values{"path": {"-a b"}}},
		"positionals after options": {[]string{"one", "-x", "a", "b"}, argparse.Values{"x": {""}, "first": {"a"}, "rest": {"b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := newParser().Parse(tc.args)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"an unknown option":           {[]string{"run", "--foo"}, "unrecognized arguments: --foo"},
		"an unknown short option":     {[]string{"run", "-z"}, "unrecognized arguments: -z"},
		"an ambiguous abbreviation":   {[]string{"run", "--ski", "all"}, "ambiguous option: --ski could match --skip, --skim"},
		"a missing value":             {[]string{"run", "--server"}, "argument -s/--server: expected one argument"},
		"an option for a value":       {[]string{"run", "--server", "-q"}, "argument -s/--server: expected one argument"},
		"a value for a flag":          {[]string{"run", "--quiet=1"}, "argument -q/--quiet: ignored explicit argument '1'"},
		"a wrong choice":              {[]string{"run", "--skip", "x"}, "argument --skip: invalid choice: 'x'"},
		"no number":                   {[]string{"run", "--limit", "x"}, "argument --limit: invalid int value: 'x'"},
		"no such command":             {[]string{"walk"}, "argument <subcommand>: invalid choice: 'walk'"},
		"paths around an option":      {[]string{"run", "a", "-c", "b"}, "unrecognized arguments: b"},
		"a missing argument":          {[]string{"one", "-x"}, "too few arguments"},
		"more after an option":        {[]string{"one", "a", "-x", "b"}, "unrecognized arguments: b"},
		"an ambiguity before it goes": {[]string{"run", "--s", "x"}, "ambiguous option"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := newParser().Parse(tc.args)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
