package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/importer/omero/omerotest"
	"biomero-importer/preprocess/podman/podmantest"
)

// omeroSite is a site that imports into a pretended OMERO server, where ada is in the
// group Demo and has a dataset.
type omeroSite struct {
	*site

	omero   *omerotest.Omero
	group   int64
	dataset int64
}

func newOMEROSite(t *testing.T) *omeroSite {
	t.Helper()
	omeroTurns <- struct{}{}
	t.Cleanup(func() { <-omeroTurns })
	s := &omeroSite{site: newSite(t), omero: omerotest.New(t)}
	s.group = s.omero.AddGroup("Demo", omerotest.ReadOnly)
	ada := s.omero.AddUser(omerotest.User{Name: "ada"})
	s.omero.AddMember(omerotest.Member{User: ada, Group: s.group})
	s.dataset = s.omero.AddDataset("Retina", ada, s.group, 0)
	s.atOMERO(omerotest.RootPassword)
	return s
}

// omeroTurns keeps sites from all starting OMERO's commands at once, which are many.
var omeroTurns = make(chan struct{}, 2)

// seldom waits for what OMERO's state tells: looking at all of it costs.
func (s *omeroSite) seldom(ok func() bool, what string) {
	s.t.Helper()
	next := time.Now()
	s.eventually(func() bool {
		if time.Now().Before(next) {
			return false
		}
		next = time.Now().Add(200 * time.Millisecond)
		return ok()
	}, what)
}

func (s *omeroSite) atOMERO(password string, more ...string) {
	s.configure(fmt.Sprintf("\nbackend: omero\nomero: {host: %s, port: %s, user: root, password: %q, cli: %q, managed_repository: %q}\n",
		s.omero.Host, s.omero.Port, password, s.omero.CLI, s.omero.Repository) + strings.Join(more, ""))
}

// order inserts an order of ada's.
func (s *omeroSite) order(files ...string) string {
	s.t.Helper()
	list, err := json.Marshal(files)
	require.NoError(s.t, err)
	id := uuid.NewString()
	_, err = s.store.Pool().Exec(s.t.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', $1, 'Dataset', 'Import Pending', $2, $3)`, strconv.FormatInt(s.dataset, 10), id, string(list))
	require.NoError(s.t, err)
	return id
}

// once makes sure that each file was imported once, and that its image has one annotation,
// of its order.
func (s *omeroSite) once(orders map[string]string) {
	s.t.Helper()
	st := s.omero.State()
	full := map[int64]int64{}
	for _, image := range st.Images {
		require.NotContains(s.t, full, image.Fileset, "an image a file")
		full[image.Fileset] = image.ID
	}
	of := map[int64]string{}
	for _, a := range st.Annotations {
		require.Len(s.t, a.Images, 1, "%+v", a)
		require.NotContains(s.t, of, a.Images[0], "annotated twice")
		of[a.Images[0]] = a.Value("UUID")
	}
	imported := map[string]string{}
	for _, f := range st.Filesets {
		if image, ok := full[f.ID]; ok { // the server keeps what came to nothing
			require.Len(s.t, f.ClientPaths, 1)
			require.NotContains(s.t, imported, "/"+f.ClientPaths[0], "imported twice")
			imported["/"+f.ClientPaths[0]] = of[image]
		}
	}
	require.Equal(s.t, orders, imported)
	for _, session := range st.Sessions {
		require.True(s.t, session.Closed, "a session of user %d is open", session.User)
	}
}

func TestOMERO(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	table := s.write("key,value\nstain,DAPI\n", "lab", "metadata.csv")
	one, two := s.write(string(omerotest.ImagesFile(1)), "lab", "a.tif"), s.write(string(omerotest.ImagesFile(1)), "lab", "b.tif")
	require.FileExists(t, table)
	a := s.start()
	id := s.order(one, two)
	st := s.ended(id, 1)
	require.Equal(t, order.Completed, st.Stage, st.Description)
	dropped := s.write(string(omerotest.ImagesFile(1)), "Demo", "ada", "inbox", "Cornea", "dropped.tif")
	drop := s.orderOf("dropped.tif")
	st = s.ended(drop, 1)
	require.Equal(t, order.Completed, st.Stage, st.Description)
	a.stop()
	s.once(map[string]string{one: id, two: id, dropped: drop})
	state := s.omero.State()
	first := state.Annotations[0]
	for key, want := range map[string]string{
		"UUID": id, "Group": "Demo", "Username": "ada", "DestinationType": "Dataset", "DestinationID": strconv.FormatInt(s.dataset, 10), "csv_stain": "DAPI",
		"Files": fmt.Sprintf("[%q,%q]", one, two),
	} {
		require.Equal(t, want, first.Value(key), key)
	}
	require.Equal(t, "biomero.import", first.NS)
	require.Len(t, state.Datasets, 2)
	require.Equal(t, "Cornea", state.Datasets[1].Name)
	s.secret()
	e, status := s.examine("--audit")
	require.Zero(t, status, "%v", e)
	require.Empty(t, e.Audit.Found)
}

// secret makes sure that the password is in no log and on no command line.
func (s *omeroSite) secret() {
	s.t.Helper()
	for _, call := range s.omero.State().Calls {
		require.NotContains(s.t, strings.Join(call.Argv, " "), omerotest.RootPassword+" ")
		require.NotContains(s.t, call.Argv, omerotest.RootPassword)
	}
}

// A self-test imports an image for real, and leaves nothing behind but its dataset.
func TestOMERO_selftest(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	stdout, stderr, status := s.run("selftest", "--user", "ada", "--group", "Demo")
	require.Zero(t, status, stderr)
	require.Equal(t, 6, strings.Count(stdout, "ok    "), stdout)
	require.Contains(t, stdout, "it is removed again")
	st := s.omero.State()
	require.Empty(t, st.Filesets)
	require.Empty(t, st.Images)
	require.Empty(t, st.Annotations)
	require.Len(t, st.Datasets, 2)
	files, err := os.ReadDir(s.path("data"))
	require.NoError(t, err)
	require.Empty(t, files)
	_, stderr, status = s.run("selftest", "--user", "eve", "--group", "Demo")
	require.Equal(t, 2, status)
	require.Contains(t, stderr, `There is no user "eve" in OMERO.`)
	s.omero.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused})
	_, stderr, status = s.run("selftest", "--user", "ada", "--group", "Demo")
	require.Equal(t, 4, status, stderr)
	s.once(map[string]string{})
}

func TestOMERO_wrongPasswordEndsTheService(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	s.atOMERO("mistaken")
	_, stderr, status := s.run("run")
	require.Equal(t, 3, status, stderr)
	require.Contains(t, stderr, "OMERO refuses the importer's own account")
	require.NotContains(t, stderr+s.log(), "mistaken")
}

// While OMERO is away orders wait, whatever that takes, and use up no tries.
func TestOMERO_away(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	s.omero.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused, Times: 3})
	path := s.write(string(omerotest.ImagesFile(1)), "a.tif")
	a := s.start()
	id := s.order(path)
	require.Equal(t, order.Completed, s.ended(id, 1).Stage)
	a.stop()
	s.once(map[string]string{path: id})
}

// The service is killed between each two of its steps, and started again.
func TestFault_killedAtEachStepOfAnOMEROImport(t *testing.T) {
	t.Parallel()
	for _, point := range failpoint.OMEROPoints() {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			s := newOMEROSite(t)
			missing := s.path("data", "missing.tif")
			paths := []string{s.write(string(omerotest.ImagesFile(1)), "a.tif"), s.write(string(omerotest.ImagesFile(1)), "b.tif")}
			killed := s.launch("FAILPOINT=" + string(point))
			if point == failpoint.Returning || point == failpoint.Returned {
				s.omero.Fail(omerotest.Fault{At: omerotest.AtImport, Kind: omerotest.Lost, After: 1})
			}
			ids := map[string]string{}
			id := s.order(paths[0], paths[1], missing)
			ids[paths[0]], ids[paths[1]] = id, id
			require.ErrorContains(t, <-killed.done, "killed", s.log())
			a := s.start()
			st := s.ended(id, 1)
			require.Equal(t, order.Failed, st.Stage)
			require.Contains(t, st.Description, "1 of 3 files failed")
			a.stop()
			s.once(ids)
		})
	}
}

// An agent that dies in the middle of an import takes the importer with it: whoever resumes
// the order is alone.
func TestFault_killedWhileOMEROImports(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	s.omero.Change(func(o *omerotest.Options) { o.FilesetTime = 20 * time.Millisecond })
	orders := map[string]string{}
	var paths []string
	for i := range 100 {
		paths = append(paths, s.write(string(omerotest.ImagesFile(1)), "many", fmt.Sprintf("%03d.tif", i)))
	}
	a := s.start()
	id := s.order(paths...)
	for _, path := range paths {
		orders[path] = id
	}
	for n := range 3 {
		s.seldom(func() bool { return len(s.omero.State().Images) > 20*n+5 }, "some are imported")
		require.NoError(t, a.cmd.Process.Kill())
		<-a.done
		a = s.start()
	}
	require.Equal(t, order.Completed, s.ended(id, 1).Stage)
	a.stop()
	s.once(orders)
	left, err := filepath.Glob(s.path("state", "omero", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.FileExists(t, s.path("logs", "cli."+id+".logs"))
}

// What a converter made is imported from its copy, named, described, and linked to where it
// stays, whenever the service is killed in between.
func TestFault_killedAtEachStepOfAConversionIntoOMERO(t *testing.T) {
	t.Parallel()
	podman := service(t)
	for _, point := range []failpoint.Point{
		"", failpoint.Prepared, failpoint.Kept, failpoint.Imported, failpoint.Redirected, failpoint.Saved, failpoint.Converted, failpoint.Ending,
	} {
		t.Run("at "+string(point), func(t *testing.T) {
			t.Parallel()
			s := newOMEROSite(t)
			s.atOMERO(omerotest.RootPassword, "podman: {socket: "+podman.Socket+"}\n")
			path := s.write("input", "a", "x.tif")
			if point != "" {
				killed := s.launch("FAILPOINT=" + string(point))
				id := s.convertInto(path)
				require.ErrorContains(t, <-killed.done, "killed", s.log())
				s.converted(id, path)
				return
			}
			s.converted(s.convertInto(path), path)
		})
	}
}

// convertInto places an order of ada's with a converter.
func (s *omeroSite) convertInto(path string) string {
	s.t.Helper()
	id := s.convert("convert", path)
	_, err := s.store.Pool().Exec(s.t.Context(), `UPDATE public.imports SET destination_id = $1 WHERE uuid = $2`, strconv.FormatInt(s.dataset, 10), id)
	require.NoError(s.t, err)
	return id
}

// converted starts the service and makes sure that a file's conversion is in OMERO.
func (s *omeroSite) converted(id, path string) {
	s.t.Helper()
	a := s.start()
	st := s.ended(id, 1)
	require.Equal(s.t, convertedStages, s.stages(id), st.Description)
	made := filepath.Join(filepath.Dir(path), ".processed", "x.ome.tiff")
	s.eventually(func() bool {
		left, _ := filepath.Glob(s.path("state", "preprocess", "*", "*"))
		return len(left) == 0
	}, "temporary folders are removed")
	a.stop()
	state := s.omero.State()
	require.Len(s.t, state.Images, 1)
	require.Len(s.t, state.Annotations, 1)
	for key, want := range map[string]string{"UUID": id, "Filepath": path, "Imported_from": made, "preprocessing_container": podmantest.Converter} {
		require.Equal(s.t, want, state.Annotations[0].Value(key), key)
	}
	require.FileExists(s.t, made)
	links := 0
	for _, f := range state.Filesets {
		if f.ID != state.Images[0].Fileset {
			continue
		}
		for _, file := range f.Files {
			target, err := os.Readlink(filepath.Join(s.omero.Repository, file))
			require.NoError(s.t, err)
			require.Equal(s.t, made, target)
			links++
		}
	}
	require.Equal(s.t, 1, links)
}

// What a killed service had imported of later batches is not imported again, although a file
// that failed before moves the batches.
func TestFault_killedInALaterOMEROBatch(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	paths := []string{s.write(string(omerotest.CorruptFile()), "many", "0000.tif")}
	orders := map[string]string{}
	for i := range 1100 {
		paths = append(paths, s.write(string(omerotest.ImagesFile(1)), "many", fmt.Sprintf("%04d.tif", i+1)))
	}
	a := s.start()
	id := s.order(paths...)
	for _, path := range paths[1:] {
		orders[path] = id
	}
	s.seldom(func() bool { return len(s.omero.State().Annotations) > 1010 }, "the second batch is being annotated")
	require.NoError(t, a.cmd.Process.Kill())
	<-a.done
	a = s.start()
	require.Equal(t, order.Failed, s.ended(id, 1).Stage)
	a.stop()
	s.once(orders)
}

// Where OMERO is away, /readyz says so until it is back.
func TestOMERO_readinessFollowsTheServer(t *testing.T) {
	t.Parallel()
	s := newOMEROSite(t)
	s.omero.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused, Times: -1})
	s.open()
	a := s.launch()
	url := s.page()
	backend := regexp.MustCompile(`"part":"backend","state":"(waiting|ready)"`)
	says := func(state string, code int) {
		t.Helper()
		s.eventually(func() bool {
			status, body := fetch(t, url+"/readyz")
			found := backend.FindStringSubmatch(body)
			return found != nil && found[1] == state && status == code
		}, "OMERO is "+state)
	}
	says("waiting", http.StatusServiceUnavailable)
	s.omero.Heal()
	says("ready", http.StatusOK)
	a.stop()
}
