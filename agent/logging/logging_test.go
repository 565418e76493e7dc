package logging_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://ada:hunter2@db/x":                 "postgres://ada:***@db/x",
		"postgresql+psycopg2://ada:hun:ter2@db:1/x y": "postgresql+psycopg2://ada:***@db:1/x y",
		"host=db password=hunter2 user=ada":           "host=db password=*** user=ada",
		"password = 'hun ter2' x":                     "password = *** x",
		"postgres:///x?password=hunter2&user=ada":     "postgres:///x?password=***&user=ada",
		"https://example.org/a:b@c":                   "https://example.org/a:b@c",
		"postgres://ada:s3cr@hunter2@db/x":            "postgres://ada:***@db/x",
		`password=a\ hunter2 user=ada`:                "password=*** user=ada",
		"postgres://ada:hun/ter2@db":                  "postgres://ada:***@db",
		`password = 'hun\'ter2' x`:                    "password = *** x",
		"nothing to hide":                             "nothing to hide",
	} {
		require.Equal(t, want, logging.Mask(text))
	}
}

func TestLogs_maskPasswords(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*bytes.Buffer) *slog.Logger{
		"terminal": func(b *bytes.Buffer) *slog.Logger { return logging.Terminal(b, slog.LevelInfo) },
		"json":     func(b *bytes.Buffer) *slog.Logger { return logging.JSON(b, slog.LevelInfo) },
	} {
		var out bytes.Buffer
		log := open(&out)
		log.InfoContext(t.Context(), "connecting to postgres://ada:hunter2@db/x",
			slog.String("url", "postgres://ada:hunter2@db/x"), slog.Any("error", errors.New("password=hunter2 is wrong")),
			slog.Group("inner", slog.String("url", "postgres://ada:hunter2@db/x")))
		require.NotContains(t, out.String(), "hunter2", name)
		require.Equal(t, 4, strings.Count(out.String(), "***"), name)
	}
}

func TestOrders_keepALogForEachOrder(t *testing.T) {
	t.Parallel()
	var main bytes.Buffer
	dir := filepath.Join(t.TempDir(), "logs")
	logs := logging.Orders{Dir: dir, Main: logging.JSON(&main, slog.LevelInfo)}
	for range 2 {
		log, closeLog, err := logs.Open("../../etc/x\n")
		require.NoError(t, err)
		log.InfoContext(t.Context(), "imported")
		require.NoError(t, closeLog())
	}
	data, err := os.ReadFile(filepath.Join(dir, "import..._.._etc_x_.log"))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(data), "imported"))
	require.Equal(t, 2, strings.Count(main.String(), "imported"))
}

func TestOrders_waitForNoPipe(t *testing.T) {
	t.Parallel()
	logs := logging.Orders{Dir: t.TempDir(), Main: slog.New(slog.DiscardHandler)}
	require.NoError(t, unix.Mkfifo(filepath.Join(logs.Dir, logging.FileName("a")), 0o600))
	_, _, err := logs.Open("a")
	require.ErrorContains(t, err, "opening the log")
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for uuid, want := range map[string]string{
		"9A-z_0.b":       "import.9A-z_0.b.log",
		"../x/\xffµ\x00": "import..._x____.log",
		"":               "import..log",
	} {
		require.Equal(t, want, logging.FileName(uuid))
	}
}
