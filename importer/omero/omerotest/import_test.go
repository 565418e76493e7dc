package omerotest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

func TestImportExits(t *testing.T) {
	good := []byte("pixels")
	for name, tc := range map[string]struct {
		files   map[string][]byte // in the order of their names
		args    []string
		exit    int
		records int
		says    string
	}{
		"done":                        {files: map[string][]byte{"a.tif": good, "b.czi": good}, records: 2},
		"a fileset fails":             {files: map[string][]byte{"a.tif": good, "b.tif": omerotest.FailingFile(), "c.tif": good}, exit: 2, records: 1, says: "Exiting on error"},
		"a fileset fails, going on":   {files: map[string][]byte{"a.tif": good, "b.tif": omerotest.FailingFile(), "c.tif": good}, args: []string{"-c"}, records: 2, says: "Continuing after error"},
		"only unknown":                {files: map[string][]byte{"a.txt": good, "b.tif": omerotest.UnknownFile()}, exit: 1, says: "No imports found"},
		"empty":                       {files: map[string][]byte{"a.tif": {}}, exit: 1, says: "No imports found"},
		"only unreadable":             {files: map[string][]byte{"a.tif": omerotest.UnreadableFile()}, exit: 1, says: "UNREADABLE_FILE"},
		"hidden":                      {files: map[string][]byte{".a.tif": good}, exit: 1, says: "No imports found"},
		"missing":                     {args: []string{"/nowhere/a.tif"}, exit: 1, says: "UNREADABLE_FILE: /nowhere/a.tif"},
		"no path":                     {exit: 1, says: "No imports found"},
		"only corrupt":                {files: map[string][]byte{"a.tif": omerotest.CorruptFile()}, says: "No imports due to errors!"},
		"a TIFF cut off":              {files: map[string][]byte{"a.tif": []byte("II*\x00\xff\xff\xff\x7f")}, says: "No imports due to errors!"},
		"a PNG cut off":               {files: map[string][]byte{"a.png": []byte("\x89PNG\r\n\x1a\nxx")}, says: "No imports due to errors!"},
		"unknown among good":          {files: map[string][]byte{"a.tif": good, "b.txt": good}, records: 1},
		"corrupt among good":          {files: map[string][]byte{"a.tif": good, "b.tif": omerotest.CorruptFile()}, records: 1, says: "1 error "},
		"no such dataset":             {files: map[string][]byte{"a.tif": good}, args: []string{"-d", "999"}, exit: 2, says: "Could not load target: Dataset:999"},
		"no such dataset, going on":   {files: map[string][]byte{"a.tif": good}, args: []string{"-d", "999", "-c"}, says: "Could not load target"},
		"a target of no class":        {files: map[string][]byte{"a.tif": good}, args: []string{"-T", "Project:51"}, exit: 2, says: "Not a valid container class"},
		"a dataset of no number":      {files: map[string][]byte{"a.tif": good}, args: []string{"-d", "x"}, exit: 1, says: "NumberFormatException"},
		"a transfer of no kind":       {files: map[string][]byte{"a.tif": good}, args: []string{"--transfer", "teleport"}, exit: 1, says: "ClassNotFoundException"},
		"two checksum algorithms":     {files: map[string][]byte{"a.tif": good}, args: []string{"--skip", "checksum", "--checksum-algorithm", "CRC-32"}, exit: 1, says: "Conflicting arguments"},
		"a folder without jars":       {args: []string{"--clientdir", "/nowhere"}, exit: 103, says: "No JAR files found under '/nowhere'"},
		"an option that Java has":     {files: map[string][]byte{"a.tif": good}, args: []string{"--", "--keep-alive", "5"}, records: 1},
		"an option that it has not":   {files: map[string][]byte{"a.tif": good}, args: []string{"--", "--foo"}, exit: 1, says: "unrecognized option '--foo'"},
		"an option that nobody has":   {args: []string{"--foo"}, exit: 2, says: "unrecognized arguments: --foo"},
		"a skip that there is not":    {args: []string{"--skip", "pixels"}, exit: 2, says: "invalid choice"},
		"an output file in no folder": {args: []string{"--file", "out.txt"}, exit: 1, says: "FileNotFoundError"},
		"everything skipped": {
			files: map[string][]byte{"a.tif": good}, records: 1,
			args: []string{"--skip", "all", "--skip", "minmax", "--no-upgrade-check", "--parallel-upload", "2", "--parallel-fileset", "2", "--depth", "10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			key := s.login()
			args := append(s.importArgs(key, "--output", "yaml"), tc.args...)
			for _, name := range sorted(tc.files) {
				args = append(args, s.file(name, tc.files[name]))
			}
			r := s.run(args...)
			require.Equal(t, tc.exit, r.exit, r.errors)
			require.Len(t, records(t, r.out), tc.records, r.out)
			if tc.records == 0 {
				require.Empty(t, r.out)
			}
			require.Contains(t, r.errors, tc.says)
		})
	}
}

func sorted(files map[string][]byte) []string {
	var names []string
	for _, name := range []string{".a.tif", "a.tif", "a.txt", "a.png", "b.czi", "b.tif", "b.txt", "c.tif"} {
		if _, ok := files[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

func TestRecordsAndState(t *testing.T) {
	s := newSite(t)
	key := s.login()
	r := s.run(s.importArgs(key, "--output", "yaml", "-d", "51", "-n", "name", "-x", "text",
		s.file("a.tif", []byte("x")), s.file("b.tif", omerotest.ImagesFile(3)), s.file("c.tif", omerotest.PlatesFile(1, 4, 2)))...)
	require.Zero(t, r.exit, r.errors)
	all := records(t, r.out)
	require.Len(t, all, 3)
	require.Equal(t, map[string][]string{"Fileset": {"4101"}, "Image": {"5001"}}, all[0])
	require.Len(t, all[1]["Image"], 3)
	require.Len(t, all[2]["Image"], 8)
	require.Equal(t, []string{"5001"}, all[2]["Plate"], "its numbers are also those of images")

	state := s.State()
	require.Len(t, state.Filesets, 3)
	require.Equal(t, omerotest.Details{Owner: s.user, Group: s.group}, state.Filesets[0].Details)
	require.Equal(t, "name", state.Images[0].Name)
	require.Equal(t, "text", state.Images[0].Description)
	require.Equal(t, "name [Series 2]", state.Images[2].Name)
	require.Equal(t, []int64{s.dataset}, state.Images[3].Datasets)
	require.Empty(t, state.Images[4].Datasets, "an image of a plate is in no dataset")
	require.Equal(t, int64(5001), state.Images[4].Plate)
	require.Empty(t, state.Plates[0].Screens, "a plate is in no dataset either")
}

func TestPlateIntoScreen(t *testing.T) {
	s := newSite(t)
	key := s.login()
	r := s.run(s.importArgs(key, "-r", "51", s.file("p.tif", omerotest.PlatesFile(2, 2, 1)), s.file("i.tif", []byte("x")))...)
	require.Zero(t, r.exit, r.errors)
	state := s.State()
	require.Len(t, state.Plates, 2)
	require.Equal(t, []int64{s.screen}, state.Plates[1].Screens)
	require.Empty(t, state.Images[4].Datasets, "an image is in no screen")
}

var template = regexp.MustCompile(`^researcher_2/\d{4}-\d\d/\d\d/\d\d-\d\d-\d\d\.\d{3,}/$`)

func TestInPlace(t *testing.T) {
	s := newSite(t)
	key := s.login()
	odd := s.file("we:ird/a \"b\"*?<c>|\\\x01.tif", []byte("x"))
	main := s.file("set/main.vsi", omerotest.MainFile("_main_/stack1/f.ets", "note.bin"))
	part := s.file("set/_main_/stack1/f.ets", []byte("x"))
	s.file("set/note.bin", []byte("x"))
	r := s.run(s.importArgs(key, odd, part, main)...)
	require.Zero(t, r.exit, r.errors)

	fs := s.State().Filesets
	require.Len(t, fs, 2)
	require.Regexp(t, template, fs[0].TemplatePrefix)
	require.NotEqual(t, fs[0].TemplatePrefix, fs[1].TemplatePrefix)
	require.Equal(t, strings.TrimPrefix(s.dir, "/")+"/we;ird/a 'b'x%[c]!!_.tif", fs[0].ClientPaths[0])
	require.Equal(t, fs[0].TemplatePrefix+"a 'b'x%[c]!!_.tif", fs[0].Files[0])
	target, err := os.Readlink(filepath.Join(s.Repository, fs[0].Files[0]))
	require.NoError(t, err)
	require.Equal(t, odd, target)

	require.Len(t, fs[1].ClientPaths, 3)
	require.Equal(t, []string{fs[1].TemplatePrefix + "main.vsi", fs[1].TemplatePrefix + "_main_/stack1/f.ets", fs[1].TemplatePrefix + "note.bin"}, fs[1].Files)
	target, err = os.Readlink(filepath.Join(s.Repository, fs[1].Files[1]))
	require.NoError(t, err)
	require.Equal(t, part, target)
	require.FileExists(t, filepath.Join(s.Repository, strings.TrimSuffix(fs[1].TemplatePrefix, "/")+".log"))
}

func TestTransfers(t *testing.T) {
	for transfer, want := range map[string]struct {
		link, source bool
		mode         os.FileMode // of the source
	}{
		"ln_s":      {link: true, source: true, mode: 0o400},
		"ln":        {source: true, mode: 0o600},
		"cp":        {source: true, mode: 0o600},
		"upload":    {source: true, mode: 0o600},
		"ln_rm":     {},
		"cp_rm":     {},
		"upload_rm": {},
	} {
		t.Run(transfer, func(t *testing.T) {
			s := newSite(t)
			key := s.login()
			path := s.file("a.tif", []byte("pixels"))
			r := s.run(s.importArgs(key, "--transfer", transfer, path)...)
			require.Zero(t, r.exit, r.errors)
			location := filepath.Join(s.Repository, s.State().Filesets[0].Files[0])
			info, err := os.Lstat(location)
			require.NoError(t, err)
			require.Equal(t, want.link, info.Mode()&os.ModeSymlink != 0)
			info, err = os.Stat(path)
			require.Equal(t, want.source, err == nil)
			if err == nil {
				require.Equal(t, want.mode, info.Mode().Perm())
			}
		})
	}
}

// A source stays as it was if anything at all went wrong.
func TestSourcesStayWritableAfterErrors(t *testing.T) {
	s := newSite(t)
	key := s.login()
	path := s.file("a.tif", []byte("pixels"))
	require.Equal(t, 2, s.run(s.importArgs(key, path, s.file("b.tif", omerotest.FailingFile()))...).exit)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestPathsFromStdin(t *testing.T) {
	s := newSite(t)
	key := s.login()
	a, b := s.file("a.tif", []byte("x")), s.file("b c.tif", []byte("x"))
	r := s.feed("\n "+a+" \n"+b, s.importArgs(key, "-")...)
	require.Zero(t, r.exit, r.errors)
	require.Len(t, s.State().Filesets, 2)
}

func TestRedirectedStreams(t *testing.T) {
	s := newSite(t)
	key := s.login()
	out, errs := filepath.Join(s.dir, "logs", "out.yml"), filepath.Join(s.dir, "logs", "errs.txt")
	s.file("logs/out.yml", []byte("from before"))
	r := s.run(s.importArgs(key, "--output", "yaml", "--file", out, "--errs="+errs, s.file("a.tif", []byte("x")))...)
	require.Zero(t, r.exit)
	require.Empty(t, r.out)
	require.NotContains(t, r.errors, "Summary")
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	require.NotContains(t, string(text), "from before")
	require.Len(t, records(t, string(text)), 1)
	text, err = os.ReadFile(errs)
	require.NoError(t, err)
	require.Contains(t, string(text), "==> Summary")
}

func TestOutputs(t *testing.T) {
	s := newSite(t)
	key := s.login()
	path := s.file("b.tif", omerotest.ImagesFile(2))
	r := s.run(s.importArgs(key, path)...)
	require.Contains(t, r.out, "\nImage:5001,5002\n")
	r = s.run(s.importArgs(key, "--output", "ids", path)...)
	require.Contains(t, r.out, "\nImage:5003,5004\n")
	r = s.run(s.importArgs(key, "--output", "legacy", path)...)
	require.Contains(t, r.out, "\n5005\n5008\n")
	require.Contains(t, r.errors, "Fileset:4105\n")
}

func TestUsedFiles(t *testing.T) {
	s := newSite(t)
	main := s.file("main.vsi", omerotest.MainFile("part.bin"))
	part := s.file("part.bin", []byte("x"))
	r := s.run("import", "-f", "--output", "yaml", part, main)
	require.Zero(t, r.exit, r.errors)
	require.Contains(t, r.out, "---\n- group: \""+main+"\"\n  spw: false\n  reader: \"loci.formats.in.TiffReader\"\n"+
		"  files:\n    - \""+main+"\"\n    - \""+part+"\"\n")
	require.Empty(t, s.State().Sessions, "without a login")
	require.Equal(t, 125, s.run("import", "-f", s.file("a.txt", []byte("x"))).exit)
}

func TestEncryption(t *testing.T) {
	s := newSite(t)
	key := s.login()
	plain := []string{"import", "-s", s.Host, "-k", key, s.file("a.tif", []byte("x"))}
	r := s.run(plain...)
	require.Equal(t, 2, r.exit)
	require.Contains(t, r.errors, "Ice.ConnectionRefusedException")
	s.Change(func(o *omerotest.Options) { o.PlainPort = true })
	require.Zero(t, s.run(plain...).exit)
}

func TestExclusions(t *testing.T) {
	s := newSite(t)
	key := s.login()
	path := s.file("a.tif", []byte("x"))
	other := s.file("other/a.tif", []byte("x"))
	require.Zero(t, s.run(s.importArgs(key, path)...).exit)
	r := s.run(s.importArgs(key, "--exclude", "clientpath", "--output", "yaml", path)...)
	require.Zero(t, r.exit)
	require.Empty(t, records(t, r.out))
	require.Zero(t, s.run(s.importArgs(key, "--exclude=clientpath", other)...).exit)
	require.Len(t, s.State().Filesets, 2)
	require.Zero(t, s.run(s.importArgs(key, "--exclude=filename", other)...).exit)
	require.Len(t, s.State().Filesets, 2)
}

func TestFolders(t *testing.T) {
	s := newSite(t)
	key := s.login()
	s.file("d/1/2/3/a.tif", []byte("x"))
	s.file("d/1/2/3/4/b.tif", []byte("x"))
	dir := filepath.Join(s.dir, "d")
	require.Zero(t, s.run(s.importArgs(key, dir)...).exit)
	require.Len(t, s.State().Filesets, 1, "four levels down")
	require.Zero(t, s.run(s.importArgs(key, "--depth", "10", dir)...).exit)
	require.Len(t, s.State().Filesets, 3)
	require.Equal(t, 1, s.run(s.importArgs(key, "--depth", "1", dir)...).exit)
}
