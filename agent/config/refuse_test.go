package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
)

// refused loads a file that has to be refused for its own fault, and returns
// what the error says after the file's name.
func refused(t *testing.T, name string) string {
	t.Helper()
	_, err := config.Load(name, environment())
	require.Error(t, err)
	require.Equal(t, order.Invalid, order.ClassOf(err))
	require.NotContains(t, err.Error(), "hunter2")
	said, ok := strings.CutPrefix(err.Error(), name+":")
	require.True(t, ok, err.Error())
	return said
}

func TestLoad_refusesBadFiles(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"unknown_key":         `2: unknown setting "max_worker"; did you mean "max_workers"?`,
		"unknown_nested":      `9: unknown setting "typ" in watch rule 2: order.destination; did you mean "type"?`,
		"unknown_far":         `3: unknown setting "qqqqqq" in web; known here are listen, url, auth`,
		"line_of_rule":        `8: watch rule 2: unit is "pile": allowed are auto, file and folder`,
		"line_of_list":        `6: watch rule 1: include[1] is "[": give a pattern for one name, such as *.tif`,
		"same_shape":          `4: watch rule 2: path is "/d/{b}/x", which watch rule 1 has already`,
		"unknown_capture":     `6: watch rule 1: order.user uses {usr}: the rule's path captures {group}, {user}`,
		"priority":            `7: watch rule 1: order.priority is "101": give a whole number from -100 to 100`,
		"duplicate_key":       `2: this is not YAML: mapping key "max_workers" already defined at [1:1]`,
		"two_documents":       `2: a second document begins here: settings are one`,
		"anchors":             `1: a word that begins with & is an anchor, which is not supported: put quotes around it`,
		"wrong_type":          `1: max_workers is a list: give a single value`,
		"secret_type":         `1: ingest_tracking_db is a list: give a single value`,
		"secret_syntax":       `1: this is not YAML: could not find end character of double-quoted text`,
		"preprocessing_block": `1: unknown setting "preprocessing"; known here are `,
	}
	files, err := filepath.Glob("testdata/*.bad.yml")
	require.NoError(t, err)
	require.Len(t, files, len(want))
	for _, name := range files {
		said := refused(t, name)
		expected := want[strings.TrimSuffix(filepath.Base(name), ".bad.yml")]
		require.NotEmpty(t, expected, name)
		if strings.HasSuffix(expected, " are ") {
			require.Contains(t, said, expected)
			continue
		}
		require.Equal(t, expected, said)
	}
}

func TestLoad_refusesValues(t *testing.T) {
	t.Parallel()
	order := func(text string) string {
		return "base_dir: /d\nwatch:\n- path: /d/{a}\n  order: " + text
	}
	rule := func(text string) string { return "base_dir: /d\nwatch:\n- " + text }
	hook := func(text string) string {
		return "notify:\n  webhooks:\n  - {url: 'https://x.example/hunter2', " + text + "}"
	}
	smtp := func(text string) string {
		return "notify:\n  address_pattern: '{user}@x.org'\n  smtp: {host: x, from: a@x.org, " + text + "}"
	}
	for _, tc := range []struct{ text, want string }{
		// Who is told.
		{"notify: {webhooks: [{url: 'ftp://x/hunter2', secret: x}]}", "1: notify.webhooks[0].url is no address such as"},
		{"notify: {webhooks: [{url: 'https://a:hunter2@x/', secret: x}]}", "1: notify.webhooks[0].url is no address such as"},
		{hook(""), "3: notify.webhooks[0] has no secret"},
		{hook("secret: hunter2"), "3: notify.webhooks[0].secret is not whsec_ and the base64 of 24 to 64 bytes"},
		{hook("secret: whsec_aHVudGVyMg=="), "3: notify.webhooks[0].secret is not whsec_"},
		{hook("template: '{{.Raeson}}'"), "3: notify.webhooks[0].template cannot be used: "},
		{hook("template: '{{'"), "3: notify.webhooks[0].template cannot be used: "},
		{hook("template: '{\"text\": \"{{.Reason}}\"}'"), "cannot be used: what it makes is not JSON: write texts as {{json .Reason}}"},
		{hook("template: '1', stages: []"), "3: notify.webhooks[0].stages is empty"},
		{hook("template: '1', stages: [Import Started]"), `3: notify.webhooks[0].stages[0] is "Import Started": allowed are Import Completed and Import Failed`},
		{hook("template: '1', stages: [Import Failed, Import Failed]"), "3: notify.webhooks[0].stages[1] is"},
		{hook("template: '1'") + "\n  - {url: 'https://x.example/hunter2', template: '2'}", "4: notify.webhooks[1].url is there twice"},
		{"notify:\n  webhooks: [" + strings.Repeat("{url: 'http://x'},", 21) + "]", "2: notify.webhooks has 21 entries: at most 20 are told"},
		{smtp("tls: ssl"), `3: notify.smtp.tls is "ssl": allowed are starttls, tls and none`},
		{smtp("user: ada"), "3: notify.smtp has to give both user and password"},
		{smtp("user: ada, password: hunter2, tls: none"), "3: notify.smtp.tls is none: the password would be sent for all to read"},
		{"notify: {smtp: {host: 'x:25', from: a@x.org}, address_pattern: '{user}@x.org'}", `1: notify.smtp.host is "x:25": give a host's name only`},
		{"notify: {smtp: {host: x, from: a}, address_pattern: '{user}@x.org'}", `1: notify.smtp.from is "a": give the address that mail is from`},
		{"notify: {smtp: {host: x, from: a@x.org}}", "1: notify.smtp is given, and no user's address"},
		{"notify: {addresses: {ada: 'a@x.org, b@x.org'}}", `1: notify.addresses.ada is "a@x.org, b@x.org", which is no mail address`},
		{"notify: {address_pattern: a@x.org}", `1: notify.address_pattern is "a@x.org": give an address such as`},
		{"web: {url: 'https://x/?y'}", `1: web.url is "https://x/?y": give an address such as https://importer.example.org/`},
		// Types.
		{"max_workers: many", `1: max_workers is "many": give a whole number from 1`},
		{"max_workers: 0", `1: max_workers is "0": give a whole number from 1`},
		{"max_workers: 4.7", `1: max_workers is "4.7"`},
		{`max_workers: "4"`, `1: max_workers is "4"`},
		{"max_workers:", "1: max_workers has no value"},
		{"max_workers: 9999999999", "1: max_workers is"},
		{"backend:", "1: backend has no value"},
		{"ingest_tracking_db:", "1: ingest_tracking_db has no value"},
		{"skip_all: maybe", `1: skip_all is "maybe": give true or false`},
		{"log_level: true", "1: log_level is no text to YAML"},
		{"omero: {password: true}", "1: omero.password is no text to YAML"},
		{"\nweb: here", "2: web is a single value: give a block of keys"},
		{"watch: {path: /d}", "1: watch is a block of keys: give a list"},
		{"roles: [[watch]]", "1: roles[0] is a list: give a single value"},
		{"roles: [~]", "1: roles[0] is empty"},
		{"legacy: {path_map: [a]}", "1: legacy.path_map is a list"},
		{"legacy: {path_map: {[a]: b}}", "1: "},
		{"max_workers: {a: 1}", "1: max_workers is a block of keys: give a single value"},
		{"~: 1", "1: a key is empty: give a word"},
		{"log_level: " + strings.Repeat("x", 100), `1: log_level is "` + strings.Repeat("x", 60) + `"…: allowed`},
		{"- 1", "1: the settings are a list"},
		{"just words", "1: the settings are a single value"},
		{"shutdown_timeout: soon", `1: shutdown_timeout is "soon": give a duration`},
		{"shutdown_timeout: -1s", "1: shutdown_timeout is"},
		{"shutdown_timeout: -1", "1: shutdown_timeout is"},
		{"shutdown_timeout: .nan", "1: shutdown_timeout is"},
		{"shutdown_timeout: .inf", "1: shutdown_timeout is"},
		{"shutdown_timeout: 1e300", "1: shutdown_timeout is"},
		{"omero: {port: 0}", "1: omero.port is \"0\": give a port number from 1 to 65535"},
		{"omero: {port: 70000}", "1: omero.port is"},
		// Bounds.
		{"check_timeout: 0", "1: check_timeout is 0s: it has to be at least a second"},
		{"import_timeout: 10ms", "1: import_timeout is 10ms: it has to be at least a second"},
		{"max_per_destination: -1", `1: max_per_destination is "-1": give a whole number from 0`},
		{"retention: 3h", "1: retention is 3h0m0s: it has to be at least 24h"},
		{"max_attempts: 0", `1: max_attempts is "0": give a whole number from 1`},
		{"max_attempts: 21", "1: max_attempts is 21: it has to be between 1 and 20"},
		{"max_workers: 501", "1: max_workers is 501: it has to be between 1 and 500"},
		{"preprocess_workers: 501", "1: preprocess_workers is 501: it has to be between 1 and 500"},
		{"podman: {memory: much}", `1: podman.memory is "much": give an amount of memory such as 512m or 8g`},
		{"podman: {cpus: -1}", `1: podman.cpus is "-1": give a number from 0`},
		{"podman: {pull: often}", `1: podman.pull is "often": allowed are missing, always and never`},
		{"podman: {temp_dir: tmp}", `1: podman.temp_dir is "tmp": give an absolute path`},
		{"podman: {temp_dir: /data/tmp}", `1: podman.temp_dir is "/data/tmp", which is below base_dir`},
		{"podman: {auth_file: auth.json}", `1: podman.auth_file is "auth.json": give an absolute path`},
		{`podman: {allowed_images: ["localhost/*", "a b"]}`, `1: podman.allowed_images[1] is "a b"`},
		{"full_scan_interval: 1ns", "1: full_scan_interval is 1ns"},
		{"scan_interval: 1ns", "1: scan_interval is 1ns"},
		{"scan_rate: -1", "1: scan_rate is \"-1\": give a whole number from 0"},
		{"watch: [{path: /data/in, mode: poll}]", "watch rule 1: mode is \"poll\""},
		{"watch: [{path: /data/in, scan_interval: 1ms}]", "watch rule 1: scan_interval is 1ms"},
		{"watch: [{path: /data/in, done_marker: done}]", "watch rule 1: done_marker is \"done\""},
		{"watch: [{path: /data/in, done_marker: '{name}'}]", "watch rule 1: done_marker is \"{name}\""},
		{"manifest_timeout: 0", "1: manifest_timeout is 0s"},
		{"annotation_namespace: ' '", "1: annotation_namespace is empty"},
		{"base_dir: data", `1: base_dir is "data": give an absolute path`},
		{"base_dir: /{data}", "1: base_dir is"},
		{"state_dir: here", "1: state_dir is"},
		{"state_dir: ''", "1: state_dir has no default"},
		{"\nrepository:\n\n  dir: rel", `4: repository.dir is "rel"`},
		{"omero: {dir: rel}", "1: omero.dir is"},
		{"legacy: {root: /etc}", "1: legacy.root is"},
		{"legacy: {root: data}", "1: legacy.root is"},
		{"legacy: {root: '/data/{a}'}", "1: legacy.root is"},
		{"legacy: {folder: a/b}", "1: legacy.folder is"},
		{"legacy: {folder: ..}", "1: legacy.folder is"},
		{"legacy: {folder: '{a}'}", "1: legacy.folder is"},
		{"legacy: {core_groups: core}", "1: legacy.core_groups is a single value"},
		{"legacy: {core_groups: [a/b]}", "1: legacy.core_groups[0] is"},
		{"legacy: {core_groups: [a, '']}", "1: legacy.core_groups[1] is"},
		{"legacy: {path_map: {/a: b}}", "1: legacy.path_map./a is"},
		{"legacy: {path_map: {'%s': b}}", "1: legacy.path_map.%s is"},
		{"legacy: {path_map: {'': /b}}", "1: legacy.path_map has an empty prefix"},
		{"web: {listen: 8080}", "1: web.listen is"},
		{"web: {listen: 'a:http'}", "1: web.listen is"},
		{"web: {auth: {viewer_token: hunter2}}", "1: web.auth.viewer_token has to be at least 16 letters"},
		{"web: {auth: {operator_token: hunter2 hunter2 hunter2}}", "1: web.auth.operator_token has to be at least 16 letters, digits and signs without spaces"},
		{"web: {auth: {viewer_token: hunter2hunter2hunter2, operator_token: hunter2hunter2hunter2}}", "1: web.auth.viewer_token is that of operators too"},
		{"web: {auth: {proxy: {from: [10.0.0.1, proxy.example]}}}", `1: web.auth.proxy.from[1] is "proxy.example": give the proxy's address`},
		{"web: {auth: {proxy: {from: ['::ffff:10.0.0.0/104']}}}", "1: web.auth.proxy.from[0] is"},
		{"web: {auth: {proxy: {from: ['fe80::1%eth0']}}}", "1: web.auth.proxy.from[0] is"},
		{"web: {auth: {proxy: {from: [10.0.0.1], user_header: 'User:'}}}", "1: web.auth.proxy.user_header is"},
		{"web: {auth: {proxy: {from: [10.0.0.1], user_header: ''}}}", "1: web.auth.proxy.user_header is"},
		{"web: {auth: {proxy: {from: [10.0.0.1], operators: [ada, '']}}}", "1: web.auth.proxy.operators[1] is"},
		{"web: {auth: {proxy: {operators: [ada]}}}", "1: web.auth.proxy.operators needs web.auth.proxy.from"},
		{"\nlog_level: loud", `2: log_level is "loud": allowed are debug, info, warning and error`},
		{"roles: [cook]", `1: roles[0] is "cook": allowed are watch, work and web`},
		{"roles: [web,\n web]", `2: roles[1] names "web" twice`},
		{"roles: []", "1: roles is empty"},
		{"backend: ftp", `1: backend is "ftp": allowed are repository and omero`},
		{"backend: ''", "1: backend is"},
		{"ignore:\n- '*.tmp'\n- '['", `3: ignore[1] is "["`},
		{"ignore: ['']", "1: ignore[0] is"},
		{"ignore: ['a/']", "1: ignore[0] is"},
		// Addresses.
		{"ingest_tracking_db: mysql://ada:hunter2@db/x", `1: ingest_tracking_db has the scheme "mysql"`},
		{"ingest_tracking_db: somewhere", "1: ingest_tracking_db is no PostgreSQL address"},
		{"ingest_tracking_db: ''", "1: ingest_tracking_db is no PostgreSQL address"},
		{"ingest_tracking_db: postgresql://u:s3cr@hunter2@host/db", "%40"},
		{"ingest_tracking_db: postgresql://u:a/hunter2@host/db", "%2F"},
		{"ingest_tracking_db: 'postgresql://u:hunter2 @host/db'", "%20"},
		{"ingest_tracking_db: postgresql://u:hunter2%zz@host/db", "%25"},
		{"ingest_tracking_db: postgresql://host:hunter2/db", "1: ingest_tracking_db has a host or port that is none"},
		{"ingest_tracking_db: 'postgresql://[::1/db'", "a host or port that is none"},
		{"ingest_tracking_db: 'postgresql://[::1]x/db'", "a host or port that is none"},
		{"ingest_tracking_db: postgresql://h/db?a=%z", "options behind its ?"},
		{"ingest_tracking_db: host=a password='hunter2", "no PostgreSQL address"},
		// Rules.
		{rule("unit: file"), "3: watch rule 1 has no path"},
		{rule("path: inbox"), "3: watch rule 1: path is"},
		{rule("path: /elsewhere"), "3: watch rule 1: path is"},
		{rule("path: /d/../d/a"), `leave ".." out`},
		{rule("path: /d/" + strings.Repeat("a", 4096)), "longer than"},
		{rule("path: /d/{}"), "captures {}"},
		{rule("path: /d/{User}"), "captures {User}"},
		{rule("path: /d/{a}/{a}"), "captures {a} twice"},
		{rule("path: /d/{a"), "unpaired"},
		{rule("{path: /d/a, settle: 200h}"), "watch rule 1: settle is"},
		{rule("{path: /d/a, on_change: always}"), `watch rule 1: on_change is "always": allowed are reimport, ignore and flag`},
		{rule("{path: /d/a, exclude: [a/b]}"), "watch rule 1: exclude[0] is"},
		{rule("path: /d/a\n- path: /d/a/"), "4: watch rule 2: path is \"/d/a\", which watch rule 1"},
		{rule("~"), "3: watch rule 1 is empty"},
		{order(`{group: g, user: "{a}}", destination: {type: Dataset, id: 1}}`), "unpaired"},
		{order(`{user: u, destination: {type: Dataset, id: 1}}`), "4: watch rule 1: order has no group"},
		{order(`{group: g, destination: {type: Dataset, id: 1}}`), "has no user"},
		{order(`{group: a/b, user: u, destination: {type: Dataset, id: 1}}`), "order.group is"},
		{order(`{group: g, user: u}`), "order.destination.type is"},
		{order(`{group: g, user: u, destination: {type: Project, id: 1}}`), `is "Project": allowed are Dataset and Screen`},
		{order(`{group: g, user: u, destination: {type: Dataset}}`), "either id or name"},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1, name: n}}`), "either id or name"},
		{order(`{group: g, user: u, destination: {type: Screen, name: s, project: p}}`), "project is only for"},
		{order(`{group: g, user: u, destination: {type: Dataset, id: x}}`), "positive whole number"},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1}, priority: -101}`), `order.priority is "-101": give a whole number from -100 to 100`},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1}, priority: 1.5}`), `order.priority is "1.5": give a whole number from -100 to 100`},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1}, priority: "5"}`), `order.priority is "5": give a whole number from -100 to 100`},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1}, priority: high}`), `order.priority is "high": give a whole number`},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1}, priority: "{a}"}`), `order.priority is "{a}": give a whole number`},
		{order(`{group: g, user: u, destination: {type: Dataset, id: 1}, priority: }`), "order.priority has no value"},
		{rule(`{path: /d/a, priority: 5, order: {group: g, user: u, destination: {type: Dataset, id: 1}}}`), `unknown setting "priority" in watch rule 1`},
		{rule(`{path: /d/a, order: {group: g, user: "{u}", destination: {type: Dataset, id: 1}}}`), "the rule's path captures nothing"},
		{rule(`{path: /d/a, preprocessing: {params: {}}}`), "preprocessing names no container"},
		{rule(`{path: /d/a, preprocessing: {by_extension: {a: {}}}}`), "by_extension.a names no container"},
		{rule(`{path: /d/a, preprocessing: {by_extension: {a: {container: x}, .A: {container: x}}}}`), "given already"},
		{rule(`{path: /d/a, preprocessing: {by_extension: {.: {container: x}}}}`), "no extension"},
		{rule(`{path: /d/a, preprocessing: {container: x, params: {a: }}}`), "params.a has no value"},
		{rule(`{path: /d/a, preprocessing: {container: x, params: {a: [~]}}}`), "params.a[0] is empty"},
		{rule(`{path: /d/a, preprocessing: {container: x, params: {a: [{b: }]}}}`), "params.a[0].b has no value"},
		// YAML.
		{"a: b: c", "1: this is not YAML"},
		{"max_workers: 3\n...\nmax_workers: 4", "a second document"},
		{"max_workers: 3\n...\n---\n", "a second document"},
		{"ignore: [*.tif]", "put quotes around a pattern"},
		{"ignore: !!set [a]", "a tag"},
		{"legacy:\n  <<: {folder: a}", "2: merge keys"},
		{"? max_workers\n: 3", "keys marked with ?"},
		{"%YAML 1.2\n---\n", "a directive"},
		{"\n\x00", "2: there is a NUL byte here"},
		{"\xff\xfea\x00", "1: the file is not UTF-8"},
		{strings.Repeat("#", 1<<20+1), "larger than"},
	} {
		require.Contains(t, refused(t, write(t, tc.text)), tc.want, tc.text)
	}
}

func TestLoad_refusesVariables(t *testing.T) {
	t.Parallel()
	name := write(t, "max_workers: 3")
	for variable, want := range map[string]string{
		"ADI_RUN_MIGRATIONS=perhaps":                  `is "perhaps": give true or false`,
		"OMERO_PORT=many":                             `is "many": give a port number`,
		"OMERODIR=rel":                                `is "rel": give an absolute path`,
		"USE_REGISTER_ZARR=2":                         "give true or false",
		"PROCESSED_DATA_FOLDER=a/b":                   "give a folder's name",
		"PODMAN_BIND_RETRY_ATTEMPTS=0":                "give a whole number from 1",
		"PODMAN_BIND_RETRY_DELAY_SECONDS=-1":          "give a duration",
		"INGEST_TRACKING_DB_URL=oracle://a:hunter2@b": `has the scheme "oracle"`,
	} {
		variableName, _, _ := strings.Cut(variable, "=")
		for _, file := range []string{"", name} {
			_, err := config.Load(file, environment(variable))
			require.ErrorContains(t, err, "the environment variable "+variableName+" ")
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "settings.yml")
			require.NotContains(t, err.Error(), "hunter2")
			require.Equal(t, order.Invalid, order.ClassOf(err))
		}
	}
}

func TestLoad_refusesAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"testdata/missing.yml", "testdata"} {
		_, err := config.Load(name, environment())
		require.ErrorContains(t, err, name)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestLoad_takesAddresses(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgres://h":                             "",
		"postgresql:///db?host=/run/postgresql":    "",
		"postgresql://u:p%40w@h1:5432,h2:5433/db":  "",
		"postgresql://u@[::1]:5432/db":             "",
		"postgresql+psycopg2://u:p!$&*@h/d":        "postgresql://u:p!$&*@h/d",
		"postgres+asyncpg://u@h/d?sslmode=disable": "postgres://u@h/d?sslmode=disable",
		`host=h password='a b\'c' dbname = d`:      "",
		"dbname=x":                                 "",
	} {
		if want == "" {
			want = given
		}
		require.Equal(t, want, string(load(t, "", "INGEST_TRACKING_DB_URL="+given).Database.URL))
	}
	require.True(t, load(t, "", "INGEST_TRACKING_DB_URL=embedded").Database.Embedded)
}

// Hostile files are refused in bounded time.
func TestLoad_isBounded(t *testing.T) {
	t.Parallel()
	many := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			_, _ = fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"keys":     many("sample_pre_%d: 1\n", 40_000),
		"flow":     "ignore: [" + many("a%d,", 100_000) + "]",
		"empty":    "ignore:\n" + strings.Repeat("-\n", 300_000),
		"brackets": "ignore: " + strings.Repeat("[", 500_000),
		"stray":    strings.Repeat("]", 100) + strings.Repeat("[", 1000),
		"dashes":   strings.Repeat("- ", 300_000),
		"indent":   "a:\n" + many("", 0) + indented(1000),
		"long key": strings.Repeat("k", 300) + ": 1",
		"words":    "ignore: [" + strings.Repeat("] [", 60_000),
	} {
		started := time.Now()
		said := refused(t, write(t, text))
		require.Less(t, len(said), 1000, name)
		require.Less(t, time.Since(started), 10*time.Second, name)
	}
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	require.NoError(f, err)
	for _, name := range append(files, documentedFile) {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Load(write(t, string(text)), environment())
		if err != nil {
			require.Equal(t, order.Invalid, order.ClassOf(err))
			require.Less(t, len(err.Error()), 8000)
			return
		}
		require.True(t, filepath.IsAbs(c.BaseDir))
		require.NotEmpty(t, c.Roles)
		require.Positive(t, c.Workers)
	})
}
