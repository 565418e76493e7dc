package initial_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/initial"
	"biomero-importer/configs"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := config.Load(path, func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	return c
}

func TestSettings_areTheDocumentedOnesWithTheAnswers(t *testing.T) {
	t.Parallel()
	text, err := initial.Settings(configs.Settings, &initial.Answers{
		BaseDir: `/data "1"`, StateDir: "/var/state", Database: "postgresql://importer@db.example.org/tracking", Backend: "omero",
		OMEROHost: "omero.example.org", OMEROUser: "importer", Managed: "/OMERO/Managed", Watch: `/data "1"/{group}/{user}/inbox/{dataset}`,
	})
	require.NoError(t, err)
	c := load(t, text)
	require.Equal(t, `/data "1"`, c.BaseDir)
	require.Equal(t, "/var/state", c.StateDir)
	require.Equal(t, config.OMERO, c.Backend)
	require.Equal(t, "omero.example.org", c.OMERO.Host)
	require.Equal(t, "importer", c.OMERO.User)
	require.Equal(t, "/OMERO/Managed", c.OMERO.Managed)
	require.Empty(t, string(c.OMERO.Password))
	require.Contains(t, string(c.Database.URL), "importer@db.example.org")
	head, err := c.Rules[0].Order.Expand(map[string]string{"group": "Demo", "user": "ada", "dataset": "Retina"})
	require.NoError(t, err)
	require.Equal(t, "Retina", head.Destination.Name)
	for line := range strings.Lines(configs.Settings) {
		if comment := strings.TrimSpace(line); strings.HasPrefix(comment, "# ") && strings.HasSuffix(comment, ".") {
			require.Contains(t, text, comment, "it stays documented")
		}
	}
}

func TestSettings_withoutAnswersAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	text, err := initial.Settings(configs.Settings, &initial.Answers{})
	require.NoError(t, err)
	require.Equal(t, configs.Settings, text)
}

func TestSettings_ofARuleThatNamesNobody(t *testing.T) {
	t.Parallel()
	text, err := initial.Settings(configs.Settings, &initial.Answers{Watch: "/data/orders"})
	require.NoError(t, err)
	require.Nil(t, load(t, text).Rules[0].Order, "only manifests count")
	text, err = initial.Settings(configs.Settings, &initial.Answers{Watch: "/data/{group}/{user}"})
	require.NoError(t, err)
	head, err := load(t, text).Rules[0].Order.Expand(map[string]string{"group": "Demo", "user": "ada"})
	require.NoError(t, err)
	require.Equal(t, "Inbox", head.Destination.Name)
}

func TestSettings_keepPasswordsOut(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgresql://ada:hunter2@db/x", "host=db password=hunter2"} {
		_, err := initial.Settings(configs.Settings, &initial.Answers{Database: url})
		require.ErrorContains(t, err, "INGEST_TRACKING_DB_URL")
		require.NotContains(t, err.Error(), "hunter2")
	}
	text, err := initial.Settings(configs.Settings, &initial.Answers{Password: "hunter2"})
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(load(t, text).OMERO.Password), "unless asked")
}

// A documented file that changed its form has to show here, and not at a site.
func TestSettings_ofAFileWithoutTheKeys(t *testing.T) {
	t.Parallel()
	_, err := initial.Settings("log_level: info\n", &initial.Answers{BaseDir: "/data"})
	require.EqualError(t, err, "the documented settings have 0 lines for base_dir")
}
