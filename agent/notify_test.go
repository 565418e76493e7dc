package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
)

// The service is killed after a receiver was told of an order, and before it has recorded that.
func TestNotify_tellsAgainAfterAKill(t *testing.T) {
	t.Parallel()
	got, killed, hold := make(chan string, 10), make(chan struct{}), make(chan struct{}, 1)
	hold <- struct{}{}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("webhook-id")
		select {
		case <-hold:
			<-killed
		default:
		}
	}))
	t.Cleanup(hook.Close)
	s := newSite(t)
	s.configure(`notify: {webhooks: [{url: "` + hook.URL + `/hunter2", secret: "whsec_bm90IGEgc2VjcmV0LCBvbmx5IGFuIGV4YW1wbGU="}]}`)
	id := s.insert(s.write("pixels", "a.tif"))
	a := s.start()
	first := <-got
	a.kill()
	close(killed)
	require.Equal(t, completed, s.stages(id), "its end does not wait for that")

	a = s.start()
	_, err := s.store.Pool().Exec(t.Context(), `UPDATE importer.deliveries SET due_at = now()`)
	require.NoError(t, err)
	require.Equal(t, first, <-got)
	var list []tracking.Delivery
	s.eventually(func() bool {
		out, errs, status := s.run("notify", "list", "--json")
		require.Zero(t, status, errs)
		require.NoError(t, json.Unmarshal([]byte(out), &list))
		return list[0].State == tracking.DeliveryMade
	}, "it is recorded")
	require.Len(t, list, 1)
	require.Equal(t, []any{first, id, 2}, []any{list[0].ID.String(), list[0].UUID, list[0].Tries})
	out, _, status := s.run("notify", "list")
	require.Zero(t, status)
	require.Contains(t, out, "delivered")
	require.NotContains(t, out, "hunter2")
	out, _, _ = s.run("notify", "list", "--undelivered", "--json")
	require.JSONEq(t, `[]`, out)
	a.stop()
	require.NotContains(t, s.log(), "hunter2")
	require.Empty(t, got)
}

func TestNotifyTest_saysWhatCameOfASample(t *testing.T) {
	t.Parallel()
	var code atomic.Int32
	code.Store(http.StatusOK)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) }))
	t.Cleanup(hook.Close)
	s := newSite(t)
	_, errs, status := s.run("notify", "test")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "the settings name nobody to be told")

	s.configure(`notify: {webhooks: [{url: "` + hook.URL + `", template: "{{json .Reason}}"}]}`)
	out, _, status := s.run("notify", "test")
	require.Zero(t, status)
	require.Contains(t, out, "ok     127.0.0.1:")
	code.Store(http.StatusGone)
	out, _, status = s.run("notify", "test", "--json")
	require.Equal(t, 4, status)
	require.Contains(t, out, `"fault": "It answered 410 Gone."`)
}

func TestDoctor_connectsToTheMailServer(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write([]byte("220 mail\r\n"))
			said := make([]byte, 512)
			for n, err := conn.Read(said); err == nil && n > 0; n, err = conn.Read(said) {
				_, _ = conn.Write([]byte("250 as you like\r\n"))
			}
			_ = conn.Close()
		}
	}()
	check := func(port string) (ok bool) {
		s := newSite(t)
		s.configure("notify: {smtp: {host: 127.0.0.1, port: " + port + ", tls: none, from: omero@example.org}, address_pattern: '{user}@example.org'}")
		e, _ := s.examine()
		for _, c := range e.Checks {
			if c.Name == "notify.smtp" {
				return c.OK
			}
		}
		require.Fail(t, "the mail server is not looked at")
		return false
	}
	_, number, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.True(t, check(number))
	require.False(t, check("1"))
}
