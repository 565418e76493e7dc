package omerotest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

// objects runs lines of obj.
func (s *site) objects(key, lines string) result {
	return s.feed(lines, "obj", "-q", "-s", s.Host, "-p", s.Port, "-k", key, "--file", "-")
}

func TestObjects(t *testing.T) {
	s := newSite(t)
	key := s.login()
	require.Zero(t, s.run(s.importArgs(key, s.file("a.tif", []byte("x")), s.file("p.tif", omerotest.PlatesFile(1, 1, 1)))...).exit)
	r := s.objects(key, "# a comment\n\n"+
		"ann = new MapAnnotation 'ns=biomero.import'\r\n"+
		"  new ImageAnnotationLink parent=Image:5001 child@=ann  \r"+
		"new PlateAnnotationLink parent=Plate:5001 child@=0\n"+
		"p = new Project name='Eye \"1\"' description=old\n"+
		"d = new Dataset name=Retina\n"+
		"new ProjectDatasetLink parent@=p child@=d\n"+
		"s = new Screen 'name=My screen'\n"+
		"update Image:5001 'name=New name'\n"+
		"map-set MapAnnotation:901 mapValue 'Key 1' 'it'\\''s'\n"+
		"map-set MapAnnotation:901 mapValue UUID first\n"+
		"map-set MapAnnotation:901 mapValue UUID second\n"+
		"map-set MapAnnotation:901 mapValue empty ''")
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, "MapAnnotation:901\nImageAnnotationLink:701\nPlateAnnotationLink:702\nProject:51\nDataset:52\n"+
		"ProjectDatasetLink:703\nScreen:52\nImage:5001\nMapAnnotation:901\nMapAnnotation:901\nMapAnnotation:901\nMapAnnotation:901\n", r.out)
	state := s.State()
	a := state.Annotations[0]
	require.Equal(t, [][2]string{{"Key 1", "it's"}, {"UUID", "second"}, {"empty", ""}}, a.Pairs, "no key twice")
	require.Equal(t, "biomero.import", a.NS)
	require.Equal(t, []int64{5001}, a.Images)
	require.Equal(t, []int64{5001}, a.Plates)
	require.Equal(t, "New name", state.Images[0].Name)
	require.Equal(t, `Eye "1"`, state.Projects[0].Name)
	require.Equal(t, []int64{51}, state.Datasets[1].Projects)
	require.Equal(t, omerotest.Details{Owner: s.user, Group: s.group}, a.Details)

	r = s.run("obj", "-q", "-s", s.Host, "-k", key, "map-set", "MapAnnotation:901", "mapValue", "lines", "a\nb\r\nc")
	require.Zero(t, r.exit, r.errors)
	annotation := s.State().Annotations[0]
	require.Equal(t, "a\nb\r\nc", annotation.Value("lines"), "as an argument they survive")
}

func TestObjectsThatFail(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		exit int // what a shell sees
		says string
	}{
		"the same link twice":      {"new ImageAnnotationLink parent=Image:5001 child=MapAnnotation:901", 336 % 256, "ConstraintViolationException"},
		"no such object":           {"update Image:99 name=x", 334 % 256, "No object found: Image:99"},
		"no number":                {"update Image name=x", 334 % 256, "No id given for Image"},
		"no such parent":           {"new ImageAnnotationLink parent=Image:99 child=MapAnnotation:901", 336 % 256, "Failed to create ImageAnnotationLink"},
		"a parent of another kind": {"new ImageAnnotationLink parent=Dataset:51 child=MapAnnotation:901", 1, "Traceback"},
		"no class":                 {"new Nonsense name=x", 102, "No class named 'NonsenseI'"},
		"no object":                {"new", 102, "No object argument provided"},
		"no name":                  {"new Dataset description=x", 103, "required arguments: name"},
		"no child":                 {"new ProjectDatasetLink parent=Project:1", 103, "required arguments: child"},
		"no field":                 {"new Dataset name=x foo=bar", 1, "AttributeError: 'omero.model.DatasetI' object has no attribute 'setFoo'"},
		"no assignment":            {"new Dataset name", 1, "Unparseable argument: name"},
		"no variable":              {"new ImageAnnotationLink parent=Image:5001 child@=nothing", 1, "KeyError: 'nothing'"},
		"a usage":                  {"map-set MapAnnotation:901 mapValue", 335 % 256, "usage: map-set"},
		"a variable for a number":  {"map-set ann mapValue k v", 102, "No class named 'annI'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			key := s.login()
			require.Zero(t, s.run(s.importArgs(key, s.file("a.tif", []byte("x")))...).exit)
			r := s.objects(key, "ann = new MapAnnotation ns=n\nnew ImageAnnotationLink parent=Image:5001 child@=ann\n"+
				tc.line+"\nupdate Image:5001 name=changed\n")
			require.Equal(t, tc.exit, r.exit, r.errors)
			require.Contains(t, r.errors, tc.says)
			require.Equal(t, "MapAnnotation:901\nImageAnnotationLink:701\n", r.out, "what came before is done")
			require.Equal(t, "a.tif", s.State().Images[0].Name, "what comes after is not")
		})
	}
}

// What cannot be read is seen before anything is done.
func TestObjectsThatCannotBeRead(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		exit int
		says string
	}{
		"an open quote":   {"update Image:5001 name='x", 1, "ValueError: No closing quotation"},
		"no command":      {"delete Image:5001", 100, "Unknown command: delete Image:5001"},
		"not UTF-8":       {"new Dataset name=\xff", 1, "UnicodeDecodeError"},
		"a value's lines": {"new Dataset 'name=a\nb'", 1, "No closing quotation"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			key := s.login()
			r := s.objects(key, "new Dataset name=first\n"+tc.line+"\n")
			require.Equal(t, tc.exit, r.exit, r.errors)
			require.Contains(t, r.errors, tc.says)
			require.Empty(t, r.out)
			require.Len(t, s.State().Datasets, 1)
		})
	}
	s := newSite(t)
	key := s.login()
	r := s.run("obj", "-q", "-s", s.Host, "-k", key, "--file", "/nowhere")
	require.Equal(t, 337%256, r.exit)
	require.Equal(t, 100, s.run("obj", "-q").exit)
	require.Equal(t, 2, s.run("obj", "-q", "delete", "Image:1").exit)
	r = s.run("obj", "-q", "-s", s.Host, "-k", key, "--file", s.file("lines", []byte("new Dataset name=x")))
	require.Equal(t, "Dataset:52\n", r.out)
}

func TestObjectsOfOthers(t *testing.T) {
	s := newSite(t)
	annotate := s.AddGroup("Annotate", omerotest.ReadAnnotate)
	colleague := s.AddUser(omerotest.User{Name: "colleague", Password: "secret"})
	for _, group := range []int64{s.group, annotate} {
		s.AddMember(omerotest.Member{User: colleague, Group: group})
		s.AddMember(omerotest.Member{User: s.user, Group: group})
	}
	key := s.login()
	path := s.file("a.tif", []byte("x"))
	require.Zero(t, s.run(s.importArgs(key, path)...).exit)
	require.Zero(t, s.run(s.logins("-u", "researcher", "-g", "Annotate", "--sudo", "root")...).exit)
	require.Zero(t, s.run(s.importArgs(s.State().Sessions[1].UUID, path)...).exit)

	require.Zero(t, s.run(s.logins("-u", "colleague", "-g", "Demo", "--sudo", "root")...).exit)
	key = s.State().Sessions[2].UUID
	r := s.objects(key, "a = new MapAnnotation ns=n\nnew ImageAnnotationLink parent=Image:5001 child@=a\n")
	require.Equal(t, 336%256, r.exit, "read-only")
	require.Contains(t, r.errors, "Insufficient privileges")
	require.Equal(t, 336%256, s.objects(key, "update Image:5001 name=x\n").exit)

	require.Zero(t, s.run(s.logins("-u", "colleague", "-g", "Annotate", "--sudo", "root")...).exit)
	key = s.State().Sessions[3].UUID
	require.Zero(t, s.objects(key, "a = new MapAnnotation ns=n\nnew ImageAnnotationLink parent=Image:5002 child@=a\n").exit)
	require.Equal(t, 336%256, s.objects(key, "update Image:5002 name=x\n").exit)
	r = s.objects(key, "a = new MapAnnotation ns=n\nnew ImageAnnotationLink parent=Image:5001 child@=a\n")
	require.Equal(t, 336%256, r.exit, "another group than the session's")
}
