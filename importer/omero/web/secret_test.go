package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
	"biomero-importer/importer/omero/web"
)

// locked is a buffer that several may write to.
type locked struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *locked) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// A server that repeats all that it is sent in whatever it answers brings no secret into an
// error or the log.
func TestSecrets(t *testing.T) {
	t.Parallel()
	var secrets sync.Map
	echo := func(status int, kind, before, after string, header ...string) handler {
		return func(w http.ResponseWriter, r *http.Request) bool {
			_ = r.ParseForm()
			text := strings.Builder{}
			for name, values := range r.Header {
				fmt.Fprintf(&text, "%s %s ", name, values)
			}
			text.WriteString(r.PostForm.Encode() + " s3cret! ")
			for _, c := range r.Cookies() {
				secrets.Store(c.Value, true)
			}
			said := strings.NewReplacer(`"`, `'`, `\`, `/`).Replace(text.String())
			var with []string
			for _, h := range header {
				with = append(with, strings.ReplaceAll(h, "ECHO", said))
			}
			return says(status, strings.ReplaceAll(kind, "ECHO", said), before+said+after, with...)(w, r)
		}
	}
	answers := map[string]handler{
		"message":      echo(400, "application/json", `{"message":"`, `"}`),
		"forbidden":    echo(403, "application/json", `{"message":"`, `"}`),
		"failure":      echo(500, "application/json", `{"message":"`, `"}`),
		"csrf":         echo(403, "application/json", `{"message":"CSRF `, `"}`),
		"missing":      echo(404, "application/json", `{"message":"`, `"}`),
		"bad":          echo(200, "application/json", `{"bad":"true","errs":{"name":"`, `"}}`),
		"page":         echo(500, "text/html", `<html>`, `</html>`),
		"violation":    echo(500, "text/html", `::omero::SecurityViolation `, ``),
		"other JSON":   echo(200, "application/json", `{"data":"`, `"}`),
		"no JSON":      echo(200, "application/json", `{"data":`, `}`),
		"type":         echo(200, "text/ECHO", ``, ``),
		"location":     echo(302, "", ``, ``, "Location", "https://example.org/ECHO"),
		"bad location": echo(302, "", ``, ``, "Location", "https://exa mple/ECHO"),
		"servers":      echo(200, "application/json", `{"data":[{"id":1,"host":"`, `"},{"id":2,"host":"x"}]}`),
		"other user":   echo(200, "application/json", `{"eventContext":{"sessionUuid":"x","userName":"`, `"}}`),
		"cut":          cut,
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			log := &locked{}
			config := f.config()
			config.Server = "omero"
			c, err := web.New(config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
			require.NoError(t, err)
			c.Hurry()
			var told []string
			note := func(err error) {
				if err != nil {
					told = append(told, err.Error(), fmt.Sprintf("%+v", err))
					for refused := (*importer.Error)(nil); errors.As(err, &refused); err = refused.Err {
						told = append(told, refused.Reason, refused.Err.Error())
					}
				}
			}
			s, err := c.Login(t.Context(), "alice", "team")
			require.NoError(t, err)
			for _, what := range []string{read, annotate, save, "GET /api/v0/m/datasets/", "POST /webclient/action/savename/image/5/", "POST /webclient/logout/"} {
				f.always(what, answer)
			}
			_, err = s.Container(t.Context(), importer.Dataset, 7)
			note(err)
			_, err = s.Find(t.Context(), importer.Container{Type: importer.Dataset, Name: "d"})
			note(err)
			note(s.Annotate(t.Context(), oneAnnotation()))
			note(s.Rename(t.Context(), []model.Naming{{Object: model.Object{Type: model.Image, ID: 5}, Name: "n"}}))
			note(s.Close(t.Context()))
			// The steps of a login, one after the other.
			for _, what := range []string{"GET /webclient/active_group/", "GET /api/v0/m/experimenters/7/experimentergroups/", "POST /webgateway/su/alice/", "POST /api/v0/login/", "GET /api/v0/servers/", "GET /api/v0/token/"} {
				f.always(what, answer)
				_, err = c.Login(t.Context(), "alice", "team")
				note(err)
				note(c.Ping(t.Context()))
			}
			require.NotEmpty(t, told)
			all := strings.Join(told, "\n") + log.String()
			require.Contains(t, log.String(), "/api/v0/token/")
			for _, secret := range []string{"s3cret", s.Key(), "csrf-", "cookie-"} {
				at := strings.Index(all, secret)
				require.Negative(t, at, "%s in …%s", secret, all[max(at-100, 0):max(at+100, 0)])
			}
			secrets.Range(func(secret, _ any) bool {
				require.NotContains(t, all, secret)
				return true
			})
		})
	}
}
