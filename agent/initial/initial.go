package initial

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
)

// Answers are what a site has to say. Empty ones leave the default as it is.
type Answers struct {
	BaseDir, StateDir string
	Database          string // without a password
	Backend           string
	OMEROHost         string
	OMEROUser         string
	Managed           string        // the managed repository
	Password          config.Secret // only where somebody asked for it to be written
	Watch             string        // the path of a rule
}

// Settings fills in the documented file. What is wrong with an answer shows when it is
// loaded, but for a password in the database's address, which is Invalid.
func Settings(documented string, a *Answers) (string, error) {
	if config.MaskURL(a.Database) != a.Database {
		return "", order.Errorf(order.Invalid, "the database's address has a password in it: leave it out, and give it in ~/.pgpass, or give all of the address in INGEST_TRACKING_DB_URL")
	}
	t := &text{lines: strings.Split(documented, "\n")}
	for _, s := range []struct{ key, value string }{
		{"ingest_tracking_db", a.Database},
		{"base_dir", a.BaseDir},
		{"state_dir", a.StateDir},
		{"backend", a.Backend},
		{"omero.host", a.OMEROHost},
		{"omero.user", a.OMEROUser},
		{"omero.managed_repository", a.Managed},
		{"omero.password", string(a.Password)},
	} {
		if s.value != "" {
			t.set(s.key, s.value)
		}
	}
	if a.Watch != "" {
		t.put("", "watch", rule(a.Watch)...)
	}
	return strings.Join(t.lines, "\n"), t.err
}

// rule is one that makes orders of what is dropped where its path says for whom, and
// else takes manifests alone.
func rule(path string) []string {
	lines := []string{"watch:", "  - path: " + quote(path)}
	named := func(name string) bool { return strings.Contains(path, "{"+name+"}") }
	if !named("group") || !named("user") {
		return append(lines, "    # Only manifests count here: the path does not say for whom images are.", "    settle: 30s")
	}
	dataset := "Inbox"
	if named("dataset") {
		dataset = "{dataset}"
	}
	return append(lines,
		"    order:",
		`      group: "{group}"`,
		`      user: "{user}"`,
		"      destination: {type: Dataset, name: "+quote(dataset)+"}",
		"    settle: 30s")
}

// text is a settings file that is being filled in.
type text struct {
	lines []string
	err   error
}

// set gives a key a value; one with a dot is that of a block.
func (t *text) set(key, value string) {
	block, name, nested := strings.Cut(key, ".")
	indent := "  "
	if !nested {
		block, name, indent = "", key, ""
	}
	t.put(block, name, indent+name+": "+quote(value))
}

// put replaces the line of a key, also where that is commented out.
func (t *text) put(block, name string, lines ...string) {
	from, to, indent := 0, len(t.lines), ""
	if block != "" {
		indent = "  "
		from = slices.Index(t.lines, block+":") + 1
		for to = from; to < len(t.lines) && (t.lines[to] == "" || strings.HasPrefix(t.lines[to], indent)); {
			to++
		}
	}
	var found []int
	for i := from; i < to; i++ {
		line, ours := strings.CutPrefix(t.lines[i], indent)
		if ours && (strings.HasPrefix(line, name+": ") || strings.HasPrefix(line, "# "+name+": ")) {
			found = append(found, i)
		}
	}
	if len(found) != 1 && t.err == nil {
		t.err = fmt.Errorf("the documented settings have %d lines for %s", len(found), name)
		return
	}
	if t.err == nil {
		t.lines = slices.Replace(t.lines, found[0], found[0]+1, lines...)
	}
}

// quote makes a YAML scalar of any text: JSON's are.
func quote(value string) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err) // a text can always be written
	}
	return string(data)
}
