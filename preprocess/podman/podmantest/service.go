package podmantest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Converter is the image of a converter that does what its parameter "do" says.
const Converter = "localhost/converter:v1"

// Service is a podman service.
type Service struct {
	Socket string // its path

	dir     string
	env     []string
	mu      sync.Mutex
	process *exec.Cmd
}

// settings are those that containers run with here. With runc they do also where the
// machine has the old layout of cgroups.
const settings = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1000:1000"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
`

// There reports whether podman is on this machine.
func There() bool {
	_, err := exec.LookPath("podman")
	return err == nil
}

// Need skips a test where podman is missing.
func Need(tb testing.TB) {
	tb.Helper()
	if !There() {
		tb.Skip("podman, which runs containers, is not on this machine")
	}
}

// Start starts a service of a test's own, which ends with it. It skips the test where
// podman is missing.
func Start(tb testing.TB) *Service {
	tb.Helper()
	Need(tb)
	dir, err := os.MkdirTemp("", "podman") //nolint:usetesting // the path of its socket has to be short
	require.NoError(tb, err)
	s, err := New(dir)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		s.Remove()
		require.NoError(tb, os.RemoveAll(dir))
	})
	return s
}

// New starts a service that keeps everything in dir, whose path has to be short.
func New(dir string) (*Service, error) {
	s := &Service{dir: dir, Socket: filepath.Join(dir, "podman.sock")}
	text := settings
	if _, err := exec.LookPath("runc"); err == nil {
		text += "runtime = \"runc\"\n"
	}
	conf := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing podman's settings: %w", err)
	}
	// The tests' registry has no certificate.
	registries := filepath.Join(dir, "registries.conf")
	if err := os.WriteFile(registries, []byte("[[registry]]\nlocation = \"127.0.0.1\"\ninsecure = true\n"), 0o600); err != nil {
		return nil, fmt.Errorf("writing podman's settings: %w", err)
	}
	s.env = append(os.Environ(), "CONTAINERS_CONF="+conf, "CONTAINERS_REGISTRIES_CONF="+registries)
	return s, s.Start()
}

// Podman is a command of the program podman for the service's storage.
func (s *Service) Podman(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), "podman", append([]string{"--root", filepath.Join(s.dir, "root"), "--runroot", filepath.Join(s.dir, "run")}, args...)...) //nolint:gosec // of tests
	cmd.Env, cmd.Dir = s.env, s.dir                                                                                                                                            // a container's monitor leaves files where it was started
	return cmd
}

// Run runs one.
func (s *Service) Run(args ...string) error {
	out, err := s.Podman(args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("podman %s: %w: %s", args[0], err, out)
	}
	return nil
}

// Start starts the service once more.
func (s *Service) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("starting podman's service: %w", err)
	}
	defer func() { _ = log.Close() }()
	s.process = s.Podman("system", "service", "--time=0", "unix://"+s.Socket)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting podman's service: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	looks := time.NewTicker(10 * time.Millisecond)
	defer looks.Stop()
	for ctx.Err() == nil {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.Socket); err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-looks.C:
		}
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("podman's service did not start: %s", text)
}

// Kill ends the service as a crash does. Containers go on.
func (s *Service) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	_ = os.Remove(s.Socket)
}

// Remove ends the service and everything in it; its folder is the caller's to remove.
func (s *Service) Remove() {
	s.Kill()
	_ = s.Run("rm", "--force", "--time=0", "--all")
	// Mounted on itself, by each podman that did not find it so.
	for err := error(nil); err == nil; err = syscall.Unmount(filepath.Join(s.dir, "root/overlay"), syscall.MNT_DETACH) {
		continue
	}
}

// Build makes an image of a Go program in the folder preprocess, such as
// "examples/tiff-pyramid".
func (s *Service) Build(image, program string) error {
	_, here, _, _ := runtime.Caller(0)
	preprocess := filepath.Join(filepath.Dir(here), "../..")
	from, err := os.MkdirTemp(s.dir, "build")
	if err != nil {
		return fmt.Errorf("building %s: %w", image, err)
	}
	defer func() { _ = os.RemoveAll(from) }()
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(from, "converter"), "./"+program) //nolint:gosec // of tests
	cmd.Dir, cmd.Env = preprocess, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w: %s", program, err, out)
	}
	return s.Run("build", "--network=none", "--layers=false", "--build-arg=PROGRAM=converter", "--tag="+image,
		"--file="+filepath.Join(preprocess, "examples/Containerfile"), from)
}

// BuildConverter makes the image Converter.
func (s *Service) BuildConverter() error { return s.Build(Converter, "podman/testdata/converter") }
