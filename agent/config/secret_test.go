package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
)

func TestConfig_showsNoSecret(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/full.good.yml")
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", slog.Any("config", *c), slog.Any("url", c.Database.URL))
	}
	shown := []string{log.String(), c.Database.URL.String(), c.Database.URL.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%c"} {
		for _, value := range []any{*c, c, c.Database.URL, c.OMERO, &c.OMERO, []config.Secret{c.OMERO.Password}} {
			shown = append(shown, fmt.Sprintf(verb, value))
		}
	}
	for _, encode := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := encode(c)
		require.NoError(t, err)
		shown = append(shown, string(text))
	}
	for _, text := range shown {
		require.NotContains(t, text, "hunter2")
		require.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", "hunter2"))
	}
	require.Contains(t, fmt.Sprintf("%+v", *c), "Password:***")
}

func TestMaskURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgresql://ada:hunter2@db:5432/x":                   "postgresql://ada:***@db:5432/x",
		"dial postgresql+psycopg2://ada:hunter2@db/x: refused": "dial postgresql+psycopg2://ada:***@db/x: refused",
		"postgres://ada:hun/ter2@db/x":                         "postgres://ada:***@db/x",
		"postgres://ada:hun@ter2@db/x":                         "postgres://ada:***@db/x",
		"postgres://:hunter2@db":                               "postgres://:***@db",
		"postgres:///x?user=ada&password=hunter2&sslmode=off":  "postgres:///x?user=ada&password=***&sslmode=off",
		"host=h password=hunter2 dbname=d":                     "host=h password=*** dbname=d",
		`host=h password = 'hun\'ter2 x' dbname=d`:             "host=h password = *** dbname=d",
		"host=h sslpassword=hunter2":                           "host=h sslpassword=***",
		"host=h PASSWORD='hunter2":                             "host=h PASSWORD=***",
		"postgres://db:5432/x":                                 "postgres://db:5432/x",
		// Rather too much than too little.
		"http://127.0.0.1:8080/?a=b@c": "http://127.0.0.1:***@c",
		"":                             "",
	} {
		require.Equal(t, want, config.MaskURL(given))
	}
}
