package omerotest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

func TestQueries(t *testing.T) {
	s := newSite(t)
	project := s.AddProject("Eye", s.user, s.group)
	inside := s.AddDataset("it's", s.user, s.group, project)
	key := s.login()
	s.file("v.bin", []byte("x"))
	require.Equal(t, 2, s.run(s.importArgs(key, "-d", "51", s.file("a.tif", omerotest.ImagesFile(2)), s.file("v.vsi", omerotest.MainFile("v.bin")),
		s.file("z.tif", omerotest.FailingFile()))...).exit)
	require.Zero(t, s.run(s.importArgs(key, "-r", "51", s.file("p.tif", omerotest.PlatesFile(1, 2, 1)))...).exit)
	s.feed("a = new MapAnnotation ns=n\nnew ImageAnnotationLink parent=Image:5001 child@=a\nnew PlateAnnotationLink parent=Plate:5001 child@=a\n"+
		"map-set MapAnnotation:901 mapValue UUID u1\n", "obj", "-q", "-s", s.Host, "-k", key, "--file", "-")
	fs := s.State().Filesets
	require.Len(t, fs, 4)
	images := s.State().Images
	last := decimal(images[len(images)-1].ID)
	row := func(i, k int) []string {
		return []string{decimal(fs[i].ID), fs[i].TemplatePrefix, fs[i].ClientPaths[k]}
	}

	for name, tc := range map[string]struct {
		query string
		want  [][]string
	}{
		"user":        {"select e.id from Experimenter e where e.omeName='researcher'", [][]string{{"2"}}},
		"no user":     {"select e.id from Experimenter e where e.omeName='x'", [][]string{}},
		"groups":      {"select m.parent.id, m.parent.name from GroupExperimenterMap m where m.child.omeName='researcher'", [][]string{{"3", "Demo"}, {"1", "user"}}},
		"leader":      {"select m.owner from GroupExperimenterMap m where m.child.omeName='researcher' and m.parent.name='Demo'", [][]string{{"False"}}},
		"root leads":  {"select m.owner from GroupExperimenterMap m where m.child.omeName='root' and m.parent.name='system'", [][]string{{"True"}}},
		"dataset":     {"select d.name, d.details.owner.omeName, d.details.group.name, d.details.permissions.perm1, (select max(f.id) from Fileset f), (select max(x.id) from Image x) from Dataset d where d.id=51", [][]string{{"Retina", "researcher", "Demo", "-56", decimal(fs[3].ID), last}}},
		"screen":      {"select s.name, s.details.owner.omeName, s.details.group.name, s.details.permissions.perm1, (select max(f.id) from Fileset f), (select max(x.id) from Image x) from Screen s where s.id=51", [][]string{{"Compounds", "researcher", "Demo", "-56", decimal(fs[3].ID), last}}},
		"no project":  {"select p.name, p.details.owner.omeName, p.details.group.name, p.details.permissions.perm1, (select max(f.id) from Fileset f), (select max(x.id) from Image x) from Project p where p.id=52", [][]string{}},
		"used files":  {"select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u where fs.id in (4101, 4102)", [][]string{row(1, 1), row(1, 0), row(0, 0)}},
		"in dataset":  {"select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u where fs.id > 4101 and fs.details.owner.omeName='researcher' and fs.id in (select i.fileset.id from Image i join i.datasetLinks l where l.parent.id=51)", [][]string{row(1, 1), row(1, 0)}},
		"in screen":   {"select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u where fs.id > 0 and fs.details.owner.omeName='researcher' and fs.id in (select s.image.fileset.id from WellSample s join s.well w join w.plate p join p.screenLinks l where l.parent.id=51)", [][]string{row(3, 0)}},
		"images":      {"select i.fileset.id, i.id from Image i where i.fileset.id in (4101,4102,4103)", [][]string{{"4102", "5003"}, {"4101", "5002"}, {"4101", "5001"}}},
		"plates":      {"select distinct s.image.fileset.id, s.well.plate.id from WellSample s where s.image.fileset.id in (" + decimal(fs[3].ID) + ")", [][]string{{decimal(fs[3].ID), "5001"}}},
		"uuids":       {"select i.id, ann.id, mv.value from Image i join i.annotationLinks al join al.child ann join ann.mapValue mv where ann.ns='n' and mv.name='UUID' and i.id in (5001,5002)", [][]string{{"5001", "901", "u1"}}},
		"plate uuids": {"select p.id, ann.id, mv.value from Plate p join p.annotationLinks al join al.child ann join ann.mapValue mv where ann.ns='n' and mv.name='UUID' and p.id in (5001)", [][]string{{"5001", "901", "u1"}}},
		"annotations": {"select i.id, ann.id from Image i join i.annotationLinks al join al.child ann where ann.ns='n' and i.id in (5001)", [][]string{{"5001", "901"}}},
		"other ns":    {"select p.id, ann.id from Plate p join p.annotationLinks al join al.child ann where ann.ns='m' and p.id in (5001)", [][]string{}},
		"by name":     {"select d.id from Dataset d where d.name='it''s' and d.details.owner.omeName='researcher'", [][]string{{decimal(inside)}}},
		"in project":  {fmt.Sprintf("select l.child.id from ProjectDatasetLink l where l.parent.id=%d and l.child.name='it''s'", project), [][]string{{decimal(inside)}}},
		"highest":     {"select max(f.id), (select max(x.id) from Image x) from Fileset f", [][]string{{decimal(fs[3].ID), last}}},
		"registered":  {"select i.id, i.name from Image i join i.datasetLinks l where l.parent.id=51 and i.id > 0 and i.fileset is null and i.details.owner.omeName='researcher'", [][]string{}},
		"loose":       {"select a.id from MapAnnotation a where a.ns='n' and a.description='' and not exists (select l.id from ImageAnnotationLink l where l.child.id=a.id) and not exists (select l.id from PlateAnnotationLink l where l.child.id=a.id)", [][]string{}},
		"white space": {"select  e.id\n\tfrom Experimenter e where e.omeName = 'researcher' ", [][]string{{"2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			require.Equal(t, tc.want, s.query(key, tc.query))
		})
	}
}

func TestBadQueries(t *testing.T) {
	s := newSite(t)
	key := s.login()
	for name, query := range map[string]string{
		"a quote that ends it":  "select d.id from Dataset d where d.name='it's' and d.details.owner.omeName='researcher'",
		"an unfinished literal": "select e.id from Experimenter e where e.omeName='researcher",
		"a name for a number":   "select i.fileset.id, i.id from Image i where i.fileset.id in ('1')",
		"no number at all":      "select i.fileset.id, i.id from Image i where i.fileset.id in ()",
		"a comma too many":      "select i.fileset.id, i.id from Image i where i.fileset.id in (1,)",
		"more than it knows":    "select e.id from Experimenter e where e.omeName='x' or 1=1",
		"another query":         "select i from Image i",
		"a semicolon":           "select e.id from Experimenter e where e.omeName='x';",
	} {
		r := s.run("hql", "-q", "-s", s.Host, "-k", key, query)
		require.Equal(t, 52, r.exit, name)
		require.Contains(t, r.errors, "Bad query: ", name)
		require.Empty(t, r.out, name)
	}
	require.Equal(t, 67, s.run("hql", "-q", "-s", s.Host, "-k", key).exit)
}

func TestStyles(t *testing.T) {
	s := newSite(t)
	s.AddDataset("ä \"b\",\n😀", s.user, s.group, 0)
	key := s.login()
	query := "select d.name, d.details.owner.omeName, d.details.group.name, d.details.permissions.perm1, (select max(f.id) from Fileset f), (select max(x.id) from Image x) from Dataset d where d.id=%d"
	run := func(style string, id int) string {
		r := s.run("hql", "-q", "-s", s.Host, "-k", key, "--style", style, fmt.Sprintf(query, id))
		require.Zero(t, r.exit, r.errors)
		return r.out
	}
	//nolint:testifylint // the very text is meant
	require.Equal(t, `[{"#": "0", "Col1": "\u00e4 \"b\",\n\ud83d\ude00", "Col2": "researcher", "Col3": "Demo", "Col4": "-56", "Col5": "None", "Col6": "None"}]`+"\n", run("json", 52))
	require.Equal(t, "[]\n", run("json", 99))
	require.Equal(t, "0,Retina,researcher,Demo,-56,None,None\n", run("plain", 51))
	require.Equal(t, "0,\"ä \"\"b\"\",\n😀\",researcher,Demo,-56,None,None\n", run("plain", 52))
	require.Equal(t, "#,Col1,Col2,Col3,Col4,Col5,Col6\n0,Retina,researcher,Demo,-56,None,None\n", run("csv", 51))
	require.Equal(t, " # | Col1   | Col2       | Col3 | Col4 | Col5 | Col6 \n---+--------+------------+------+------+------+------\n"+
		" 0 | Retina | researcher | Demo | -56  | None | None \n(1 row)\n", run("sql", 51))
}

func TestLimit(t *testing.T) {
	s := newSite(t)
	key := s.login()
	require.Zero(t, s.run(s.importArgs(key, s.file("a.tif", omerotest.ImagesFile(30)))...).exit)
	query := "select i.fileset.id, i.id from Image i where i.fileset.id in (4101)"
	for limit, want := range map[string]int{"": 25, "--limit=-1": 30, "--limit=10": 10} {
		args := []string{"hql", "-q", "-s", s.Host, "-k", key, "--style", "plain", query}
		if limit != "" {
			args = append(args, limit)
		}
		require.Equal(t, want, strings.Count(s.run(args...).out, "\n"), limit)
	}
}

// Queries show what is in the session's group, and there what the user may read.
func TestVisibility(t *testing.T) {
	s := newSite(t)
	private := s.AddGroup("Private", omerotest.Private)
	colleague := s.AddUser(omerotest.User{Name: "colleague", Password: "secret"})
	for _, group := range []int64{private, s.group} {
		s.AddMember(omerotest.Member{User: colleague, Group: group})
	}
	s.AddMember(omerotest.Member{User: s.user, Group: private})
	s.AddDataset("theirs", colleague, private, 0) // 52
	s.AddDataset("mine", s.user, private, 0)      // 53
	s.AddDataset("shown", colleague, s.group, 0)  // 54
	key := s.login()
	found := func(key, owner, name string) bool {
		return len(s.query(key, "select d.id from Dataset d where d.name='"+name+"' and d.details.owner.omeName='"+owner+"'")) == 1
	}
	require.True(t, found(key, "colleague", "shown"))
	require.False(t, found(key, "researcher", "mine"), "in another group")
	require.Zero(t, s.run(s.logins("-u", "researcher", "-g", "Private", "--sudo", "root")...).exit)
	key = s.State().Sessions[1].UUID
	require.True(t, found(key, "researcher", "mine"))
	require.False(t, found(key, "colleague", "theirs"), "in a private group")
	r := s.run("hql", "-q", "-s", s.Host, "-k", key, "--all", "--style", "plain",
		"select d.id from Dataset d where d.name='shown' and d.details.owner.omeName='colleague'")
	require.Equal(t, "0,54\n", r.out)
}

func TestPermissionsAsNumbers(t *testing.T) {
	for permissions, want := range map[string]string{
		omerotest.Private: "-120", omerotest.ReadOnly: "-56", omerotest.ReadAnnotate: "-40", omerotest.ReadWrite: "-8",
	} {
		s := newSite(t)
		group := s.AddGroup("G", permissions)
		s.AddMember(omerotest.Member{User: s.user, Group: group})
		s.AddScreen("S", s.user, group)
		s.env = append(s.env, "OMERO_PASSWORD=secret")
		require.Zero(t, s.run(s.logins("-u", "researcher", "-g", "G")...).exit)
		rows := s.query(s.State().Sessions[0].UUID, "select d.name, d.details.owner.omeName, d.details.group.name,"+
			" d.details.permissions.perm1, (select max(f.id) from Fileset f), (select max(x.id) from Image x) from Screen d where d.id=52")
		require.Equal(t, [][]string{{"S", "researcher", "G", want, "None", "None"}}, rows)
	}
}
