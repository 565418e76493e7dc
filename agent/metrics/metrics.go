package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"biomero-importer/agent/engine"
	"biomero-importer/agent/health"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// namespace is before every name.
const namespace = "biomero_importer"

// Config is where the figures come from that are asked for.
type Config struct {
	Version  string
	Health   *health.Health
	Queue    Queue                // nil for none
	Watcher  func() watcher.State // nil for an agent that does not watch
	StateDir string               // whose filesystem is told of
}

// Metrics is what an agent counts. Its observers may be called concurrently.
type Metrics struct {
	gatherer prometheus.Gatherer

	wait       prometheus.Histogram
	run        *prometheus.HistogramVec
	steps      map[engine.Step]prometheus.Observer
	files      map[tracking.FileState]prometheus.Counter
	faults     map[engine.Fault]prometheus.Counter
	working    prometheus.Gauge
	converting prometheus.Gauge
	sessions   prometheus.Counter

	settle   prometheus.Histogram
	scan     prometheus.Histogram
	folders  prometheus.Counter
	scanned  prometheus.Counter
	overflow prometheus.Counter
	drops    map[string]prometheus.Counter

	told map[tracking.DeliveryState]prometheus.Counter
}

// The limits of buckets, in seconds: orders take from milliseconds to hours, and wait for
// days.
var (
	waitBuckets = []float64{.005, .02, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}
	runBuckets  = []float64{.005, .02, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}
	stepBuckets = []float64{.001, .005, .02, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600}
	lookBuckets = []float64{.01, .1, .5, 1, 5, 15, 60, 300, 900, 3600}
)

// outcomes are what becomes of drops.
var outcomes = []string{
	string(tracking.DropWaiting), string(tracking.DropHeld), string(tracking.DropTaken), string(tracking.DropRefused), string(tracking.DropGone), duplicate,
}

// duplicate is a drop that was taken, and has the content of another.
const duplicate = "duplicate"

// New makes the metrics. Every one of them is there from the start, with each of its labels.
func New(c Config) *Metrics {
	registry := prometheus.NewRegistry()
	with := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return with.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return with.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	seconds := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}
	}
	m := &Metrics{
		gatherer:   &cached{from: registry, every: gatherEvery},
		wait:       with.NewHistogram(seconds("order_wait_seconds", "Time from when an order was asked for until this agent took it up.", waitBuckets)),
		run:        with.NewHistogramVec(seconds("order_run_seconds", "Time that ended orders took in their last run, by outcome.", runBuckets), []string{"outcome"}),
		working:    gauge("orders_running", "Orders that this agent carries out."),
		converting: gauge("conversions_running", "Converters that this agent runs."),
		sessions:   counter("sessions_total", "How often this agent began to take orders: more than once where it lost the database."),
		settle:     with.NewHistogram(seconds("settle_seconds", "Time from the last change of a drop until it was recorded.", lookBuckets)),
		scan:       with.NewHistogram(seconds("scan_seconds", "Time that passes over all folders of a root took.", lookBuckets)),
		folders:    counter("scanned_folders_total", "Folders that passes met."),
		scanned:    counter("scanned_files_total", "Files that passes looked at."),
		overflow:   counter("watch_overflows_total", "How often the kernel dropped file events, each followed by a full scan."),
	}
	for _, outcome := range []order.Stage{order.Completed, order.Failed} {
		m.run.WithLabelValues(outcomeOf(outcome))
	}
	steps := with.NewHistogramVec(seconds("order_step_seconds", "Time that a step of an order took; a file for convert, a batch for import.", stepBuckets), []string{"step"})
	m.steps = known(engine.Steps(), func(s engine.Step) prometheus.Observer { return steps.WithLabelValues(string(s)) })
	vec := func(name, help, label string) func(string) prometheus.Counter {
		v := with.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
		return func(value string) prometheus.Counter { return v.WithLabelValues(value) }
	}
	told := vec("deliveries_total", "Tries to tell somebody of an order that ended, by what came of it; due: it is tried again.", "state")
	files := vec("files_total", "Files of orders that this agent decided on; one that is tried again counts again.", "state")
	m.files = known([]tracking.FileState{tracking.FileImported, tracking.FileFailed}, func(s tracking.FileState) prometheus.Counter { return files(string(s)) })
	faults := vec("errors_total", "Errors that orders met, by class: those tried again and those that ended them.", "class")
	m.faults = known(engine.Faults(), func(f engine.Fault) prometheus.Counter { return faults(string(f)) })
	m.drops = known(outcomes, vec("drops_total", "Records that were made of drops, by what became of them.", "outcome"))
	m.told = known([]tracking.DeliveryState{tracking.DeliveryMade, tracking.DeliveryDue, tracking.DeliveryGivenUp},
		func(s tracking.DeliveryState) prometheus.Counter { return told(string(s)) })
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newStates(&c))
	return m
}

func known[K ~string, V any](keys []K, of func(K) V) map[K]V {
	values := make(map[K]V, len(keys))
	for _, k := range keys {
		values[k] = of(k)
	}
	return values
}

func outcomeOf(s order.Stage) string {
	if s == order.Completed {
		return "completed"
	}
	return "failed"
}

// Engine is what an engine tells. session is called, too, when it loses or finds the database.
func (m *Metrics) Engine(session func(error)) engine.Observer { return &engineObserver{m, session} }

type engineObserver struct {
	*Metrics

	session func(error)
}

func (o *engineObserver) Session(err error) {
	if err == nil {
		o.sessions.Inc()
	}
	o.session(err)
}

func (o *engineObserver) Taken(waited time.Duration) { o.wait.Observe(waited.Seconds()) }
func (o *engineObserver) Working(change int)         { o.working.Add(float64(change)) }
func (o *engineObserver) Converting(change int)      { o.converting.Add(float64(change)) }

func (o *engineObserver) Step(s engine.Step, took time.Duration) { o.steps[s].Observe(took.Seconds()) }
func (o *engineObserver) File(s tracking.FileState)              { o.files[s].Inc() }
func (o *engineObserver) Fault(f engine.Fault)                   { o.faults[f].Inc() }
func (o *engineObserver) Ended(stage order.Stage, took time.Duration) {
	o.run.WithLabelValues(outcomeOf(stage)).Observe(took.Seconds())
}

// Told counts what became of telling somebody of orders that ended.
func (m *Metrics) Told(state tracking.DeliveryState, n int) { m.told[state].Add(float64(n)) }

// Watcher is what a watcher tells.
func (m *Metrics) Watcher() watcher.Observer { return watcherObserver{m} }

type watcherObserver struct{ *Metrics }

func (o watcherObserver) Taken(after time.Duration) { o.settle.Observe(after.Seconds()) }

func (o watcherObserver) Scanned(took time.Duration, folders, files int) {
	o.scan.Observe(took.Seconds())
	o.folders.Add(float64(folders))
	o.scanned.Add(float64(files))
}

func (o watcherObserver) Lost() { o.overflow.Inc() }

// Recorded counts drops that were recorded.
func (m *Metrics) Recorded(drops []tracking.Drop) {
	for i := range drops {
		outcome := string(drops[i].State)
		if drops[i].State == tracking.DropTaken && drops[i].DuplicateOf != "" {
			outcome = duplicate
		}
		m.drops[outcome].Inc()
	}
}
