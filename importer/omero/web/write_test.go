package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

const annotate = "POST /webclient/annotate_map/"

func oneAnnotation() []model.Annotation {
	return []model.Annotation{{
		Namespace: "biomero.import",
		Pairs:     []importer.Pair{{Key: "UUID", Value: "u"}},
		Objects:   []model.Object{{Type: model.Image, ID: 5}},
	}}
}

func TestAnnotate(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	pairs := []importer.Pair{
		{Key: "z", Value: "first"},
		{Key: "lines", Value: "a\nb\r\nc\n"},
		{Key: "z", Value: "again"},
		{Key: "odd", Value: `"<&>+%=;` + "\u2028ü\t日本"},
		{Key: "", Value: ""},
		{Key: "long", Value: strings.Repeat("é", 700_000)},
	}
	require.NoError(t, s.Annotate(t.Context(), []model.Annotation{
		{Namespace: "biomero.import", Pairs: pairs, Objects: []model.Object{{Type: model.Image, ID: 5}, {Type: model.Plate, ID: 6}, {Type: model.Image, ID: 7}}},
		{Namespace: "no pairs", Objects: []model.Object{{Type: model.Image, ID: 5}}},
		{Namespace: "no objects", Pairs: pairs},
	}))
	require.Len(t, f.annotated, 1)
	form := f.annotated[0]
	require.Equal(t, []string{"5", "7"}, form["image"])
	require.Equal(t, []string{"6"}, form["plate"])
	require.Equal(t, []string{"biomero.import"}, form["ns"])
	require.Equal(t, []string{""}, form["duplicate"], "anything else makes one for each object")
	var got [][]string
	require.NoError(t, json.Unmarshal([]byte(form.Get("mapAnnotation")), &got))
	require.Len(t, got, len(pairs))
	for i, p := range pairs {
		require.Equal(t, []string{p.Key, p.Value}, got[i])
	}
	require.NoError(t, s.Close(t.Context()))
}

func TestAnnotateManyObjects(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	many := oneAnnotation()
	many[0].Objects = nil
	for id := range int64(1200) {
		many[0].Objects = append(many[0].Objects, model.Object{Type: model.Image, ID: id})
	}
	require.NoError(t, s.Annotate(t.Context(), many))
	seen := map[string]bool{}
	for _, form := range f.annotated {
		require.Less(t, len(form["image"]), 1000-3, "fields that Django reads")
		for _, id := range form["image"] {
			require.False(t, seen[id])
			seen[id] = true
		}
	}
	require.Len(t, seen, 1200)
	require.NoError(t, s.Close(t.Context()))
}

func TestAnnotateRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	refused := (*importer.Error)(nil)

	nul := oneAnnotation()
	nul[0].Pairs[0].Value = "a\x00b"
	require.ErrorAs(t, s.Annotate(t.Context(), nul), &refused)
	require.Empty(t, f.annotated)

	// What Django does with a form that is too long has no message.
	f.on(annotate, says(400, "text/html", "<h1>Bad Request (400)</h1>"), says(400, "text/html", "<h1>Bad Request (400)</h1>"))
	require.ErrorIs(t, s.Annotate(t.Context(), oneAnnotation()), model.ErrUnavailable, "a wrong host name looks the same")
	long := oneAnnotation()
	long[0].Pairs[0].Value = strings.Repeat("x", 3<<20)
	err := s.Annotate(t.Context(), long)
	require.ErrorIs(t, err, model.ErrUnavailable)
	require.ErrorContains(t, err, "bytes are too much for it")

	f.on(annotate, says(200, "application/json", `{"annId":null}`))
	require.ErrorIs(t, s.Annotate(t.Context(), oneAnnotation()), model.ErrUnavailable)
	require.NoError(t, s.Close(t.Context()))
}

// Few are under way at once; after a failure those end, and no others begin.
func TestAnnotateAFewAtATime(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	var many []model.Annotation
	for range 100 {
		many = append(many, oneAnnotation()...)
	}
	now, most := atomic.Int32{}, atomic.Int32{}
	f.always(annotate, func(http.ResponseWriter, *http.Request) bool {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return false
	})
	require.NoError(t, s.Annotate(t.Context(), many))
	require.Len(t, f.annotated, 100)
	require.LessOrEqual(t, most.Load(), int32(4))
	require.Greater(t, most.Load(), int32(1))

	f.on(annotate, says(500, "text/html", ""))
	require.ErrorIs(t, s.Annotate(t.Context(), many), model.ErrUnavailable)
	require.Less(t, f.count(annotate), 100+20)
	require.NoError(t, s.Close(t.Context()))
}

// One that is broken off while others are under way does not break those off.
func TestAnnotateLetsOthersEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	failed := make(chan struct{})
	f.on(annotate,
		func(_ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-failed:
				time.Sleep(20 * time.Millisecond)
			case <-r.Context().Done():
			}
			return false
		},
		func(w http.ResponseWriter, r *http.Request) bool {
			defer close(failed)
			return says(500, "text/html", "")(w, r)
		})
	require.ErrorIs(t, s.Annotate(t.Context(), append(oneAnnotation(), oneAnnotation()...)), model.ErrUnavailable)
	require.Len(t, f.annotated, 1)
	require.NoError(t, s.Close(t.Context()))
}

func TestRename(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	s := f.session()
	var many []model.Naming
	for id := range int64(20) {
		many = append(many, model.Naming{Object: model.Object{Type: model.Image, ID: id}, Name: fmt.Sprintf("ü %d & co", id)})
	}
	many = append(many, model.Naming{Object: model.Object{Type: model.Plate, ID: 3}, Name: "plate"})
	require.NoError(t, s.Rename(t.Context(), many))
	require.Len(t, f.named, 21)
	require.Contains(t, f.named, "image 7 ü 7 & co")
	require.Contains(t, f.named, "plate 3 plate")
	require.NoError(t, s.Close(t.Context()))
}

func TestRenameRefused(t *testing.T) {
	t.Parallel()
	const violation = `<html><textarea>omero.SecurityViolation: exception ::omero::SecurityViolation
{ serverStackTrace = … }</textarea></html>`
	for name, tc := range map[string]struct {
		then handler
		want string
		is   error
	}{
		"too long": {
			then: says(200, "application/json", `{"bad":"true","errs":{"name":"<ul class=\"errorlist\"><li>Ensure this value has at most 250 characters (it has 300).</li></ul>"}}`),
			want: `OMERO refused to name Image 5 "n": Ensure this value has at most 250 characters (it has 300).`,
		},
		"no reason": {then: says(200, "application/json", `{"bad":"true"}`), want: `OMERO refused to name Image 5 "n": it does not say why.`},
		"missing":   {then: says(404, "text/html", "<html>"), want: "OMERO refused to name Image 5 for alice: it does not exist, or the user may not see it.", is: model.ErrNotFound},
		"forbidden": {then: says(500, "text/html", violation), want: "OMERO refused to name Image 5 for alice: the user may not do that."},
		"invalid":   {then: says(500, "text/html", "::omero::ValidationException"), want: "OMERO refused to name Image 5 for alice: it does not accept what it was given (ValidationException)."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			s := f.session()
			f.on("POST /webclient/action/savename/image/5/", tc.then)
			err := s.Rename(context.WithoutCancel(t.Context()), []model.Naming{{Object: model.Object{Type: model.Image, ID: 5}, Name: "n"}})
			refused := (*importer.Error)(nil)
			require.ErrorAs(t, err, &refused)
			require.Equal(t, tc.want, refused.Reason)
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
			require.NotErrorIs(t, err, model.ErrUnavailable)
			require.NoError(t, s.Close(t.Context()))
		})
	}
}
