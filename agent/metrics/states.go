package metrics

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// Queue counts the orders that wait.
type Queue interface {
	Depth(ctx context.Context) (tracking.Depth, error)
}

// Times of the queue: it is counted once in depthEvery, whoever asks how often, and given
// up after depthTime.
const (
	depthEvery = 5 * time.Second
	depthTime  = 2 * time.Second
)

// states collects what is asked for when somebody looks.
type states struct {
	config Config
	every  time.Duration // see depthEvery

	build, part, since              *prometheus.Desc
	queued, oldest                  *prometheus.Desc
	roots, missing, folders         *prometheus.Desc
	watches, limit, full, unsettled *prometheus.Desc
	diskSize, diskFree              *prometheus.Desc

	mu      sync.Mutex
	asked   time.Time
	depth   tracking.Depth
	counted bool
}

func newStates(c *Config) *states {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	return &states{
		config: *c, every: depthEvery,
		build:     desc("build_info", "Always 1: which program this is.", "version", "goversion"),
		part:      desc("part_ready", "1 while a part of the agent does what it is there for, or stands by, else 0.", "part"),
		since:     desc("part_since_timestamp_seconds", "When a part came to be in its present state.", "part"),
		queued:    desc("queue_orders", "Orders of all agents, by where they are; each counted up to "+strconv.Itoa(tracking.MaxDepth)+".", "state"),
		oldest:    desc("queue_oldest_seconds", "Time that the oldest order has waited for its first try, without paused ones; 0 for none."),
		roots:     desc("watch_roots", "Folders that the rules of this agent begin at; none while another agent watches."),
		missing:   desc("watch_roots_missing", "Those of them that are not there."),
		folders:   desc("watch_folders", "Folders that this agent knows."),
		watches:   desc("watches", "Folders that events tell of."),
		limit:     desc("watches_limit", "The kernel's limit of these, for all programs of a user."),
		full:      desc("watches_limit_reached", "1 once a folder could not be watched for this limit, else 0."),
		unsettled: desc("unsettled_files", "Files that have yet to settle."),
		diskSize:  desc("state_disk_size_bytes", "Size of the filesystem of state_dir."),
		diskFree:  desc("state_disk_free_bytes", "What of it this agent may still fill."),
	}
}

// Describe implements prometheus.Collector.
func (s *states) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.build, s.part, s.since, s.queued, s.oldest, s.roots, s.missing, s.folders, s.watches, s.limit, s.full, s.unsettled, s.diskSize, s.diskFree,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What cannot be found out is left out.
func (s *states) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(s.build, 1, s.config.Version, runtime.Version())
	parts, _ := s.config.Health.Parts()
	for i := range parts {
		gauge(s.part, flag(parts[i].OK()), string(parts[i].Part))
		gauge(s.since, float64(parts[i].Since.UnixMilli())/1000, string(parts[i].Part))
	}
	if d, ok := s.queue(); ok {
		gauge(s.queued, float64(d.Pending), "pending")
		gauge(s.queued, float64(d.Held), "held")
		gauge(s.queued, float64(d.Retrying), "retrying")
		gauge(s.queued, float64(d.Running), "running")
		gauge(s.oldest, d.Oldest.Seconds())
	}
	if s.config.Watcher != nil {
		s.watching(gauge, s.config.Watcher())
	}
	if size, free, err := room(s.config.StateDir); err == nil {
		gauge(s.diskSize, size)
		gauge(s.diskFree, free)
	}
}

func (s *states) watching(gauge func(*prometheus.Desc, float64, ...string), w watcher.State) {
	gauge(s.roots, float64(w.Roots))
	gauge(s.missing, float64(w.Missing))
	gauge(s.folders, float64(w.Folders))
	gauge(s.watches, float64(w.Watches))
	gauge(s.full, flag(w.Limited))
	gauge(s.unsettled, float64(w.Unsettled))
	if limit, ok := watchLimit(); ok {
		gauge(s.limit, limit)
	}
}

// queue counts the queue now and then.
func (s *states) queue() (tracking.Depth, bool) {
	if s.config.Queue == nil {
		return tracking.Depth{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked.IsZero() || time.Since(s.asked) >= s.every {
		ctx, cancel := context.WithTimeout(context.Background(), depthTime)
		defer cancel()
		var err error
		s.depth, err = s.config.Queue.Depth(ctx)
		s.counted, s.asked = err == nil, time.Now()
	}
	return s.depth, s.counted
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// watchLimit is the kernel's limit of watches.
func watchLimit() (float64, bool) {
	data, err := os.ReadFile("/proc/sys/fs/inotify/max_user_watches")
	if err != nil {
		return 0, false
	}
	limit, err := strconv.ParseFloat(string(bytes.TrimSpace(data)), 64)
	return limit, err == nil
}

// room is the size of a path's filesystem, and what of it an ordinary user may fill.
func room(path string) (size, free float64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	block := float64(st.Bsize)
	return float64(st.Blocks) * block, float64(st.Bavail) * block, nil
}

var _ prometheus.Collector = (*states)(nil)
