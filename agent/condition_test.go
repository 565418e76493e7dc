package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/engine"
	"biomero-importer/agent/health"
	"biomero-importer/preprocess"
	"biomero-importer/watcher"
)

// What an agent needs hangs on its roles; podman only where somebody said that it is there.
func TestCondition_hasTheNeededParts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		roles  []config.Role
		socket string
		want   []string
	}{
		"all":             {[]config.Role{config.Watch, config.Work, config.Web}, "", []string{"database!", "watcher!", "engine!", "backend!", "podman"}},
		"only watches":    {[]config.Role{config.Watch}, "", []string{"database!", "watcher!", "backend!"}},
		"only works":      {[]config.Role{config.Work}, "/run/podman.sock", []string{"database!", "engine!", "backend!", "podman!"}},
		"only has a page": {[]config.Role{config.Web}, "", []string{"database!"}},
	} {
		s := newCondition(&config.Config{Roles: tc.roles, Podman: config.Podman{Socket: tc.socket}})
		var got []string
		parts, _ := s.Parts()
		for _, p := range parts {
			got = append(got, string(p.Part)+map[bool]string{true: "!"}[p.Needed])
		}
		require.Equal(t, tc.want, got, name)
	}
}

func stateOf(t *testing.T, s *condition, part health.Part) (state health.State, reason string) {
	t.Helper()
	parts, _ := s.Parts()
	for _, p := range parts {
		if p.Part == part {
			state, reason = p.State, p.Reason
		}
	}
	return state, reason
}

func TestCondition_ofFoldersThatAreAway(t *testing.T) {
	t.Parallel()
	s := newCondition(&config.Config{Roles: []config.Role{config.Watch}})
	for _, tc := range []struct {
		missing int
		state   health.State
		reason  string
	}{
		{0, health.Ready, ""},
		{1, health.Ready, "1 of 2 watched folders are not there."},
		{2, health.Waiting, foldersAway},
	} {
		s.observeFolders(watcher.State{Roots: 2, Missing: tc.missing})
		state, reason := stateOf(t, s, health.Watcher)
		require.Equal(t, tc.state, state)
		require.Equal(t, tc.reason, reason)
	}
}

// saying is a converter that says the same to everything.
type saying struct {
	engine.Converter

	err error
}

func (s saying) Run(context.Context, preprocess.Request, preprocess.Watch) (preprocess.Result, error) {
	return preprocess.Result{}, s.err
}

func (s saying) RemoveLeftovers(context.Context, func(context.Context, string) (bool, error)) error {
	return s.err
}

// Only what podman said, or that it did not answer, says how it is.
func TestWatchedConverter(t *testing.T) {
	t.Parallel()
	s := newCondition(&config.Config{Roles: []config.Role{config.Work}})
	for _, tc := range []struct {
		err  error
		want health.State
	}{
		{errors.New("the database is away"), health.Starting},
		{fmt.Errorf("asking: %w", preprocess.ErrUnavailable), health.Waiting},
		{errors.New("the image is not allowed"), health.Waiting},
		{nil, health.Ready},
		{errors.New("the image is not allowed"), health.Ready},
	} {
		c := watchedConverter{saying{err: tc.err}, s.Health}
		require.Equal(t, tc.err, c.RemoveLeftovers(t.Context(), nil))
		state, _ := stateOf(t, s, health.Podman)
		require.Equal(t, tc.want, state, tc.err)
		_, err := c.Run(t.Context(), preprocess.Request{}, preprocess.Watch{})
		require.Equal(t, tc.err, err)
		state, _ = stateOf(t, s, health.Podman)
		require.Equal(t, tc.want, state, tc.err)
	}
}
