package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/preprocess/podman/podmantest"
)

// containers is a podman service that tests share, with the image of a converter, and
// removeContainers ends it, if any test had it started.
var (
	removeContainers = func() {}

	containers = sync.OnceValues(func() (s *podmantest.Service, err error) {
		dir, err := os.MkdirTemp("", "podman")
		if err != nil {
			return nil, err
		}
		if s, err = podmantest.New(dir); err != nil {
			return nil, err
		}
		removeContainers = func() {
			s.Remove()
			_ = os.RemoveAll(dir)
		}
		return s, s.BuildConverter()
	})
)

// withPodman has a site's orders converted by a podman service.
func (s *site) withPodman(service *podmantest.Service) {
	s.t.Helper()
	s.configure("podman: {socket: " + service.Socket + "}\n")
}

// service is the podman service that tests share.
func service(t *testing.T) *podmantest.Service {
	t.Helper()
	podmantest.Need(t)
	s, err := containers()
	require.NoError(t, err)
	return s
}

// convert places an order as psql would whose files a converter does something with
// before.
func (s *site) convert(do string, files ...string) (id string) {
	s.t.Helper()
	require.NoError(s.t, s.store.Pool().QueryRow(s.t.Context(), `WITH c AS (
			INSERT INTO public.imports_preprocessing (container, input_file, output_folder, alt_output_folder, extra_params)
			VALUES ($1, '{Files}', '/data', '/out', jsonb_build_object('do', $2::text)) RETURNING id)
		INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, preprocessing_id)
		SELECT 'Demo', 'ada', '151', 'Dataset', 'Import Pending', gen_random_uuid()::text, $3, id FROM c RETURNING uuid`,
		podmantest.Converter, do, order.EncodePaths(files)).Scan(&id))
	return id
}

// tidied makes sure that nothing is left of conversions but what they made, once each.
func (s *site) tidied(service *podmantest.Service, published ...string) {
	s.t.Helper()
	name, err := s.store.Installation(s.t.Context())
	require.NoError(s.t, err)
	s.eventually(func() bool {
		out, err := service.Podman("ps", "--all", "--quiet", "--filter", "label=biomero-importer.installation="+name).Output()
		require.NoError(s.t, err)
		left, _ := os.ReadDir(s.path("state", "preprocess", name))
		return len(out) == 0 && len(left) == 0
	}, "containers and temporary folders are removed")
	var found []string
	require.NoError(s.t, filepath.WalkDir(s.path("data"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && strings.Contains(path, "/.processed/") && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	}))
	require.ElementsMatch(s.t, published, found)
	require.ElementsMatch(s.t, published, s.links())
}

var convertedStages = []string{"Import Pending", "Import Started", "Import Preprocessing", "Import Completed"}

func TestConversion_ofADrop(t *testing.T) {
	t.Parallel()
	podman := service(t)
	s := newSite(t)
	s.configure(`  - path: ` + s.path("data") + `/{group}/{user}/convert
    order: {group: "{group}", user: "{user}", destination: {type: Dataset, name: converted}}
    settle: 300ms
    preprocessing: {container: ` + podmantest.Converter + `, params: {do: progress}}
podman: {socket: ` + podman.Socket + `}
`)
	a := s.start()
	s.write("input", "Demo", "ada", "convert", "x.tif")
	id := s.orderOf("x.tif")
	st := s.ended(id, 1)
	require.Equal(t, convertedStages, s.stages(id), st.Description)
	s.tidied(podman, s.path("data", "Demo", "ada", "convert", ".processed", "x.ome.tiff"))
	stdout, _, status := s.run("order", "show", id, "--json")
	require.Zero(t, status)
	require.Contains(t, stdout, `"image": "`+podmantest.Converter+`"`)
	require.Contains(t, stdout, `"digest": "sha256:`)
	require.Contains(t, stdout, "150%")
	log, err := os.ReadFile(s.path("logs", "import."+id+".log"))
	require.NoError(t, err)
	require.Contains(t, string(log), `"stream":"stderr"`)
	e, status := s.examine("--audit")
	require.Zero(t, status, "%v", e)
	a.stop()
}

// A converter may make several images of a file, or folders, or leave no copies.
func TestConversion_ofEachKind(t *testing.T) {
	t.Parallel()
	podman := service(t)
	for name, c := range map[string]struct {
		do     string
		copies bool
		made   []string // below .processed
		links  []string
	}{
		"several":            {"several", true, []string{"plate0/x.ome.tiff", "plate1/x.ome.tiff", "plate2/x.ome.tiff"}, nil},
		"OME-Zarr":           {"zarr", true, []string{"x.zarr/.zattrs", "x.zarr/0/0"}, []string{"x.zarr"}},
		"OME-Zarr, uncopied": {"zarr", false, []string{"x.zarr/.zattrs", "x.zarr/0/0"}, []string{"x.zarr"}},
		"uncopied":           {"convert", false, []string{"x.ome.tiff"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.withPodman(podman)
			id := s.convert(c.do, s.write("input", "a", "x.tif"))
			if !c.copies {
				_, err := s.store.Pool().Exec(t.Context(), `UPDATE public.imports_preprocessing SET alt_output_folder = NULL`)
				require.NoError(t, err)
			}
			a := s.start()
			st := s.ended(id, 1)
			require.Equal(t, convertedStages, s.stages(id), st.Description)
			below := func(names []string) (paths []string) {
				for _, name := range names {
					paths = append(paths, s.path("data", "a", ".processed", name))
				}
				return paths
			}
			if c.links == nil {
				c.links = c.made
			}
			require.ElementsMatch(t, below(c.links), s.links())
			for _, path := range below(c.made) {
				require.FileExists(t, path)
			}
			e, status := s.examine("--audit")
			require.Zero(t, status, "%v", e)
			a.stop()
		})
	}
}

func TestConversion_thatFailsSaysWhatTheConverterSaid(t *testing.T) {
	t.Parallel()
	podman := service(t)
	s := newSite(t)
	s.withPodman(podman)
	a := s.start()
	id := s.convert("fail", s.write("input", "a", "x.tif"))
	st := s.ended(id, 1)
	require.Equal(t, []string{"Import Pending", "Import Started", "Import Preprocessing", "Import Failed"}, s.stages(id))
	for _, part := range []string{podmantest.Converter, "3", "ValueError: this is no image"} {
		require.Contains(t, st.Description, part)
	}
	s.tidied(podman)
	a.stop()
}

// The service is killed between each two steps of a conversion, and started again.
func TestFault_killedAtEachStepOfAConversion(t *testing.T) {
	t.Parallel()
	podman := service(t)
	for _, point := range failpoint.ConversionPoints() {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.withPodman(podman)
			id := s.convert("convert", s.write("input", "a", "x.tif"), s.write("input", "b", "x.tif"))
			killed := s.launch("FAILPOINT=" + string(point))
			require.ErrorContains(t, <-killed.done, "killed", s.log())
			a := s.start()
			st := s.ended(id, 1)
			require.Equal(t, convertedStages, s.stages(id), st.Description)
			s.tidied(podman, s.path("data", "a", ".processed", "x.ome.tiff"), s.path("data", "b", ".processed", "x.ome.tiff"))
			require.Len(t, st.Conversions, 2)
			e, status := s.examine("--audit")
			require.Zero(t, status, "%v", e)
			require.Empty(t, e.Audit.Found)
			a.stop()
		})
	}
}

// ready waits until an order's converter has said so, and returns what it said.
func (s *site) ready(id string) (said string) {
	s.t.Helper()
	s.eventually(func() bool {
		st, err := s.store.Show(s.t.Context(), id)
		for _, line := range st.Output {
			if strings.HasPrefix(line, "ready") {
				said = line
			}
		}
		return err == nil && said != ""
	}, "the converter is ready")
	return said
}

// A container goes on without its agent, and another agent goes on with it.
func TestFault_killedWhileAContainerRuns(t *testing.T) {
	t.Parallel()
	podman := service(t)
	s := newSite(t)
	s.withPodman(podman)
	id := s.convert("wait", s.write("input", "a", "x.tif"))
	killed := s.start()
	said := s.ready(id)
	killed.kill()
	a := s.start()
	s.eventually(func() bool { return strings.Contains(s.log(), "converting") }, "another agent goes on")
	s.write("", "a", "go")
	st := s.ended(id, 1)
	require.Equal(t, convertedStages, s.stages(id), st.Description)
	require.Equal(t, said, s.ready(id), "no second container ran")
	s.tidied(podman, s.path("data", "a", ".processed", "x.ome.tiff"))
	a.stop()
}

// A stop leaves containers to the next start, which a cancelled order does not wait for.
func TestConversion_isCancelled(t *testing.T) {
	t.Parallel()
	podman := service(t)
	for name, stopped := range map[string]bool{"while it runs": false, "while its agent is stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.withPodman(podman)
			a := s.start()
			id := s.convert("stubborn", s.write("input", "a", "x.tif"))
			s.ready(id)
			if stopped {
				a.kill()
			}
			_, stderr, status := s.run("order", "cancel", id)
			require.Zero(t, status, stderr)
			if stopped {
				a = s.start()
			}
			require.Equal(t, "The order was cancelled.", s.ended(id, 1).Description)
			s.tidied(podman)
			a.stop()
		})
	}
}

// While podman is away orders wait, and its containers go on.
func TestFault_podmanIsKilled(t *testing.T) {
	t.Parallel()
	service(t) // for its image
	podman := podmantest.Start(t)
	require.NoError(t, podman.BuildConverter())
	s := newSite(t)
	s.withPodman(podman)
	a := s.start()
	id := s.convert("wait", s.write("input", "a", "x.tif"))
	said := s.ready(id)
	podman.Kill()
	other := s.convert("convert", s.write("input", "b", "x.tif"))
	s.eventually(func() bool {
		st, err := s.store.Show(t.Context(), other)
		return err == nil && strings.Contains(st.Waits, "Podman")
	}, "an order waits for podman")
	plain := s.insert(s.write("pixels", "c.tif"))
	require.Equal(t, order.Completed, s.ended(plain, 1).Stage)
	s.write("", "a", "go")
	require.NoError(t, podman.Start())
	// They look again in half a minute.
	_, err := s.store.Pool().Exec(t.Context(), `UPDATE importer.orders SET due_at = clock_timestamp() WHERE state = 'queued'`)
	require.NoError(t, err)
	for _, id := range []string{id, other} {
		st := s.ended(id, 1)
		require.Equal(t, convertedStages, s.stages(id), st.Description)
	}
	require.Equal(t, said, s.ready(id), "no second container ran")
	a.stop()
}

// Two agents share the orders and the podman service; what one of them leaves when it
// dies the other goes on with.
func TestFault_oneOfTwoAgentsDiesWhileTheyConvert(t *testing.T) {
	t.Parallel()
	podman := service(t)
	s := newSite(t)
	s.withPodman(podman)
	agents := []*agent{s.start(), s.launch()}
	waiting := []string{s.convert("wait", s.write("input", "w0", "x.tif")), s.convert("wait", s.write("input", "w1", "x.tif"))}
	said := []string{s.ready(waiting[0]), s.ready(waiting[1])}
	ids, published := waiting, []string{}
	for i := range 6 {
		folder := fmt.Sprintf("c%d", i)
		ids = append(ids, s.convert("convert", s.write("input", folder, "x.tif")))
		published = append(published, s.path("data", folder, ".processed", "x.ome.tiff"))
	}
	agents[0].kill()
	for i := range waiting {
		folder := fmt.Sprintf("w%d", i)
		s.write("", folder, "go")
		published = append(published, s.path("data", folder, ".processed", "x.ome.tiff"))
	}
	for _, id := range ids {
		st := s.ended(id, 1)
		require.Equal(t, convertedStages, s.stages(id), st.Description)
	}
	for i, id := range waiting {
		require.Equal(t, said[i], s.ready(id), "no second container ran")
	}
	s.tidied(podman, published...)
	agents[1].stop()
}
