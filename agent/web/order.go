package web

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"biomero-importer/agent/access"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// fileRows is how many files one page of an order has.
const fileRows = 50

// orderPage is an order and what became of it.
type orderPage struct {
	Row        row
	Operator   bool
	Steps      []step // the last first
	Imported   int
	Failed     int
	Counted    bool // these are all
	States     []choice
	Files      []fileRow
	From       int
	State      string
	More       string // the address of the files that follow
	Part       string // the address of what is read again
	Converters []tracking.Converter
	Output     []string
	Manifest   string
	Log        bool
}

// Ended and Waits tell the actions that there are.
func (p *orderPage) Ended() bool { return p.Row.Stage.Ended() }

// step is a stage; Attempt is the number of the one that it begins, where there were several.
type step struct {
	tracking.Step

	Attempt int
}

// steps are those of a timeline, the last first.
func steps(timeline []tracking.Step) []step {
	asked := 0
	for i := range timeline {
		if timeline[i].Stage == order.Pending {
			asked++
		}
	}
	list := make([]step, len(timeline))
	several := asked > 1 && len(timeline) < tracking.MaxSteps // else the first ones are not there
	for i := range timeline {
		list[i].Step = timeline[i]
		if several && timeline[i].Stage == order.Pending {
			list[i].Attempt = asked
			asked--
		}
	}
	return list
}

// fileRow is a file of an order.
type fileRow struct {
	tracking.File

	Name    string
	Preview string // the address of its picture; empty where there can be none
	Links   []link
	Others  int // objects without a link of their own here
}

// link leads to an object in OMERO.web, or only names it where there is no address.
type link struct{ Text, URL string }

// maxLinks bounds the objects that one row names: a plate has thousands of images.
const maxLinks = 6

func (s *server) order(w http.ResponseWriter, r *http.Request) {
	f := frame{Nav: "/"}
	var p any
	var err error
	if f.Mark, err = s.hub.mark(r.Context()); err == nil {
		v := r.URL.Query()
		from, _ := strconv.Atoi(v.Get("from"))
		state := tracking.FileState(v.Get("state"))
		if state != tracking.FileImported && state != tracking.FileFailed {
			state = ""
		}
		id := r.PathValue("uuid")
		key := strings.Join([]string{"order", id, string(state), strconv.Itoa(from), f.Mark}, "\x00")
		p, err = s.once(r.Context(), key, func(ctx context.Context) (any, error) { return s.readOrder(ctx, id, state, max(from, 0)) })
	}
	if shared, ok := p.(*orderPage); ok && err == nil {
		mine := *shared
		mine.Operator = mayOperate(r)
		f.Page = &mine
	}
	s.show(w, r, "order", wanted(r, "live"), f, err)
}

// readOrder reads what an order's page shows.
func (s *server) readOrder(ctx context.Context, id string, state tracking.FileState, from int) (*orderPage, error) {
	st, err := s.orders.Brief(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &orderPage{Row: newRow(st), From: from, State: string(state), Log: s.Logs != ""}
	p.States = choices(p.State, "", "All files", string(tracking.FileImported), "Imported", string(tracking.FileFailed), "Failed")
	timeline, err := s.orders.Timeline(ctx, id)
	if err != nil {
		return nil, err
	}
	p.Steps = steps(timeline)
	if p.Imported, p.Failed, err = s.orders.TallyFiles(ctx, id); err != nil {
		return nil, err
	}
	p.Counted = p.Imported+p.Failed < tracking.MaxFilesLooked
	if p.Converters, p.Output, err = s.orders.Converters(ctx, id); err != nil {
		return nil, err
	}
	if p.Manifest, err = s.orders.Origin(ctx, id); err != nil {
		return nil, err
	}
	files, err := s.orders.FilePage(ctx, id, state, from, fileRows)
	if err != nil {
		return nil, err
	}
	for _, f := range files.Files {
		p.Files = append(p.Files, s.fileRow(p.Row.Path, f))
	}
	p.Part = address(p.Row.Path, filesAt(p.State, from))
	if files.Next > 0 {
		p.More = address(p.Row.Path, filesAt(p.State, files.Next))
	}
	return p, nil
}

func filesAt(state string, from int) url.Values {
	v := url.Values{}
	if state != "" {
		v.Set("state", state)
	}
	if from > 0 {
		v.Set("from", strconv.Itoa(from))
	}
	return v
}

func (s *server) fileRow(orderPath string, f tracking.File) fileRow {
	r := fileRow{File: f, Name: path.Base(f.Path)}
	if s.Previews != nil && f.State == tracking.FileImported && pictured(f.Path) {
		r.Preview = orderPath + "/preview/" + strconv.Itoa(f.Ordinal)
	}
	add := func(kind string, ids []int64) {
		for _, id := range ids {
			if len(r.Links) == maxLinks {
				r.Others++
				continue
			}
			l := link{Text: kind + " " + strconv.FormatInt(id, 10)}
			if s.Images != "" {
				l.URL = strings.TrimSuffix(s.Images, "/") + "/webclient/?show=" + kind + "-" + strconv.FormatInt(id, 10)
			}
			r.Links = append(r.Links, l)
		}
	}
	add("plate", f.Plates)
	if len(f.Plates) == 0 {
		add("image", f.Images)
	}
	return r
}

// mayOperate reports whether a request may change anything.
func mayOperate(r *http.Request) bool { return access.From(r.Context()).Role == access.Operator }

func (s *server) retry(w http.ResponseWriter, r *http.Request) {
	s.act(w, r, func(ctx context.Context, id string) error {
		return s.orders.Retry(ctx, id, r.PostFormValue("all") == "yes")
	})
}

func (s *server) cancel(w http.ResponseWriter, r *http.Request) {
	s.act(w, r, s.orders.Cancel)
}

// act does something to an order and shows its page.
func (s *server) act(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, id string) error) {
	if !mayOperate(r) {
		s.refuse(w, r, http.StatusForbidden, "You may look at orders and not change them: ask somebody who operates the service.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	id := r.PathValue("uuid")
	switch err := do(r.Context(), id); order.ClassOf(err) {
	case order.Invalid:
		s.refuse(w, r, http.StatusConflict, err.Error())
		return
	default:
		if err != nil {
			code, sentence := s.fault(r, err)
			s.refuse(w, r, code, sentence)
			return
		}
	}
	http.Redirect(w, r, orderPath(id), http.StatusSeeOther) //nolint:gosec // to a page of ours
}
