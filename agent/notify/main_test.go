package notify_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/notify"
	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

// Variables that make a re-executed test binary an agent that a test kills.
const (
	childDatabase = "NOTIFY_TEST_DATABASE"
	childHook     = "NOTIFY_TEST_HOOK"
	childMail     = "NOTIFY_TEST_MAIL"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDatabase) != "" {
		os.Exit(child())
	}
	os.Exit(trackingtest.Run(m, func(ctx context.Context, url string) error {
		return tracking.Migrate(ctx, url, slog.New(slog.DiscardHandler))
	}))
}

// child delivers until it is killed.
func child() int {
	ctx := context.Background()
	store, err := tracking.Open(ctx, os.Getenv(childDatabase), 5)
	if err != nil {
		return 1
	}
	c := notify.Config{}
	if url := os.Getenv(childHook); url != "" {
		c.Webhooks = []notify.Webhook{{URL: url, Stages: bothStages}}
	}
	if address := os.Getenv(childMail); address != "" {
		c.Mail = mailOver(address, notify.NoTLS)
	}
	n := notify.New(c, store, slog.New(slog.DiscardHandler))
	n.Declare(ctx)
	n.Run(ctx)
	return 0
}

var bothStages = []order.Stage{order.Completed, order.Failed}

// site is a database whose orders somebody is told of.
type site struct {
	t     *testing.T
	url   string
	store *tracking.Store
	stop  func() // ends what run began
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, url: trackingtest.URL(t), stop: func() {}}
	var err error
	s.store, err = tracking.Open(t.Context(), s.url, 10)
	require.NoError(t, err)
	t.Cleanup(s.store.Close)
	t.Cleanup(func() { s.stop() })
	return s
}

// run starts an agent, which knows whom it tells when this returns.
func (s *site) run(c notify.Config) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan struct{})
	n := notify.New(c, s.store, slog.New(slog.DiscardHandler))
	n.Declare(ctx)
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	before := s.stop
	s.stop = func() {
		cancel()
		<-done
		before()
		s.stop = func() {}
	}
}

// launch starts an agent that can be killed.
func (s *site) launch(env ...string) *exec.Cmd {
	s.t.Helper()
	agent := exec.CommandContext(s.t.Context(), os.Args[0])
	agent.Env = append(append(os.Environ(), childDatabase+"="+s.url), env...)
	require.NoError(s.t, agent.Start())
	s.t.Cleanup(func() { _ = agent.Process.Kill() })
	return agent
}

func (s *site) eventually(met func() bool) {
	s.t.Helper()
	require.Eventually(s.t, met, time.Minute, 10*time.Millisecond)
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.store.Pool().Exec(s.t.Context(), sql, args...)
	require.NoError(s.t, err)
}

func (s *site) number(sql string) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.store.Pool().QueryRow(s.t.Context(), sql).Scan(&n))
	return n
}

// pass lets time pass for what is due.
func (s *site) pass(d time.Duration) {
	s.t.Helper()
	s.exec(`UPDATE importer.deliveries SET due_at = due_at - $1::interval WHERE state = 'due'`, d)
}

// end carries an order of a user out.
func (s *site) end(user string, stage order.Stage, reason string) (id string) {
	s.t.Helper()
	id = uuid.NewString()
	s.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', $1, '151', 'Dataset', 'Import Pending', $2, '["/data/a.tif"]')`, user, id)
	agent := tracking.Agent{Name: "test-agent"}
	waiting, err := s.store.Waiting(s.t.Context(), agent, 100)
	require.NoError(s.t, err)
	works, _, err := s.store.Take(s.t.Context(), agent, waiting.Due, waiting.Shares)
	require.NoError(s.t, err)
	require.Len(s.t, works, 1)
	require.NoError(s.t, s.store.Begin(s.t.Context(), works[0]))
	files := []tracking.File{{Path: "/data/a.tif", State: tracking.FileImported}}
	require.NoError(s.t, s.store.Finish(s.t.Context(), tracking.End{Job: works[0].Job, Stage: stage, Reason: reason, Files: files}))
	return id
}

// delivery is what is recorded of one of an order's.
func (s *site) delivery(uuid string) tracking.Delivery {
	s.t.Helper()
	list, err := s.store.Deliveries(s.t.Context(), false, 100)
	require.NoError(s.t, err)
	for _, d := range list {
		if d.UUID == uuid {
			return d
		}
	}
	require.Fail(s.t, "no delivery of "+uuid)
	return tracking.Delivery{}
}

// settled waits until the first try at the delivery of an order is recorded.
func (s *site) settled(uuid string) (d tracking.Delivery) {
	s.t.Helper()
	s.eventually(func() bool {
		d = s.delivery(uuid)
		return d.Tries == 1 && (d.State != tracking.DeliveryDue || d.Error != "")
	})
	return d
}

// delivered waits until that is recorded of an order, after so many tries.
func (s *site) delivered(uuid string, tries int) {
	s.t.Helper()
	s.eventually(func() bool { return s.delivery(uuid).State == tracking.DeliveryMade })
	require.Equal(s.t, tries, s.delivery(uuid).Tries)
}

const secret = "whsec_bm90IGEgc2VjcmV0LCBvbmx5IGFuIGV4YW1wbGU="

func key(t *testing.T) []byte {
	t.Helper()
	k, err := message.ParseKey(secret)
	require.NoError(t, err)
	return k
}

// pool trusts a test server.
func pool(certificate *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(certificate)
	return p
}
