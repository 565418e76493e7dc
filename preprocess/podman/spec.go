package podman

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/preprocess"
)

// Labels of the containers.
const (
	labelInstallation = "biomero-importer.installation"
	labelOrder        = "biomero-importer.order"
	labelInput        = "biomero-importer.input"
	labelRun          = "biomero-importer.run"
)

// Bounds that no setting changes.
const (
	logSize   = 16 << 20 // of the log that podman keeps; several times preprocess.MaxAnswer
	tmpSize   = "1g"     // of /tmp; it counts as memory
	cpuPeriod = 100_000  // microseconds

	// timeGrace is how much later than the agent podman itself ends a container.
	timeGrace = 10 * time.Second
)

// spec is what a container is created from, as podman spells it.
type spec struct {
	Name            string            `json:"name"`
	Image           string            `json:"image"`
	Command         []string          `json:"command"`
	Env             map[string]string `json:"env,omitempty"`
	Labels          map[string]string `json:"labels"`
	User            string            `json:"user"`
	UserNS          *namespace        `json:"userns,omitempty"`
	NetNS           *namespace        `json:"netns,omitempty"`
	Mounts          []mount           `json:"mounts"`
	ImageVolumes    string            `json:"image_volume_mode"`
	CapDrop         []string          `json:"cap_drop"`
	NoNewPrivileges bool              `json:"no_new_privileges"`
	ReadOnly        bool              `json:"read_only_filesystem"`
	Systemd         string            `json:"systemd"`
	Resources       *resources        `json:"resource_limits,omitempty"`
	Timeout         uint64            `json:"timeout,omitempty"` // seconds
	Log             logConfig         `json:"log_configuration"`
	HealthCheck     healthCheck       `json:"healthconfig"`
}

type healthCheck struct {
	Test []string
}

type namespace struct {
	Mode string `json:"nsmode"`
}

type mount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

type logConfig struct {
	Driver string `json:"driver"`
	Size   int64  `json:"size"`
}

type resources struct {
	Memory *memory `json:"memory,omitempty"`
	CPU    *cpu    `json:"cpu,omitempty"`
	Pids   *pids   `json:"pids,omitempty"`
}

type memory struct {
	Limit int64 `json:"limit"`
	Swap  int64 `json:"swap"`
}

type cpu struct {
	Quota  int64  `json:"quota"`
	Period uint64 `json:"period"`
}

type pids struct {
	Limit int64 `json:"limit"`
}

// containerName is the same for all agents of an installation.
func (c *Client) containerName(req *preprocess.Request) string {
	sum := sha256.Sum256([]byte(c.options.Installation))
	return fmt.Sprintf("biomero-%s-%s-%d", hex.EncodeToString(sum[:4]), req.Order, req.Input)
}

// spec describes the container of a run.
func (c *Client) spec(s *service, req *preprocess.Request, work *preprocess.Work, run string, image *image) (*spec, error) {
	command, err := req.Command()
	if err != nil {
		return nil, err
	}
	made := &spec{
		Name: c.containerName(req), Image: image.ID, Command: command,
		Labels: map[string]string{
			labelInstallation: c.options.Installation, labelOrder: req.Order, labelInput: strconv.Itoa(req.Input), labelRun: run,
		},
		ImageVolumes: "tmpfs", CapDrop: []string{"all"}, NoNewPrivileges: true, ReadOnly: true, Systemd: "false",
		Log: logConfig{Driver: "k8s-file", Size: logSize},
		// One of the image would be run by the host's systemd.
		HealthCheck: healthCheck{Test: []string{"NONE"}},
		Mounts: []mount{{
			Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"rw", "nosuid", "nodev", "mode=1777", "size=" + tmpSize},
		}},
		Resources: c.resources(s),
	}
	// It may do with files what this process may: without capabilities, root of the
	// container could not write into a folder of another user.
	made.User = fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())
	if s.info.rootless && c.options.UserNS == "" {
		made.User = "0:0" // which is the service's user then
	}
	// The users of root's podman are those of the host, and are kept as they are.
	if c.options.UserNS != "" && (s.info.rootless || !strings.HasPrefix(c.options.UserNS, "keep-id")) {
		made.UserNS = &namespace{Mode: c.options.UserNS}
	}
	if !c.options.Network {
		made.NetNS = &namespace{Mode: "none"}
	}
	if !slices.ContainsFunc(image.Config.Env, func(v string) bool { return strings.HasPrefix(v, "HOME=") && v != "HOME=" }) {
		made.Env = map[string]string{"HOME": "/tmp"} // the only place of its own
	}
	bind := "bind" // what is mounted below the folder is none of its business
	if s.info.rootless {
		bind = "rbind" // and cannot be left out
	}
	for _, m := range work.Mounts() {
		rights := "ro"
		if m.Writable {
			rights = "rw"
		}
		made.Mounts = append(made.Mounts, mount{
			Destination: m.Target, Type: "bind", Source: m.Source, Options: []string{bind, rights, "nosuid", "nodev"},
		})
	}
	if limit := c.options.Limits.Time; limit > 0 {
		made.Timeout = uint64(math.Ceil((limit + timeGrace).Seconds()))
	}
	return made, nil
}
