package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// row is an order as lists show it.
type row struct {
	*tracking.Status

	ID    string // in the page, and of its events
	Path  string // of its page
	Title string
	Class string // waiting, working, completed or failed
	Name  string // of its stage
	Note  string // what somebody should know of it
	Owner string // the page of its user
	Bar   *bar
}

// bar is how far an order is.
type bar struct {
	Done, Total int64
	Text        string
}

// eventID names an order in pages and events: a client may have written anything as its uuid.
func eventID(uuid string) string { return "o-" + digest(uuid) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// newEvent names the events of new orders of a user, or with empty names of all.
func newEvent(group, user string) string {
	if group == "" && user == "" {
		return "new"
	}
	return "new-" + digest(group+"\x00"+user)
}

func orderPath(uuid string) string { return "/orders/" + url.PathEscape(uuid) }

// userPath is the page of a user, or the list of the same where names would get lost in a path.
func userPath(group, user string) string {
	lost := []string{"", ".", ".."}
	if slices.Contains(lost, group) || slices.Contains(lost, user) {
		return address("/", query{Group: group, User: user}.values())
	}
	return "/users/" + url.PathEscape(group) + "/" + url.PathEscape(user)
}

func newRow(st *tracking.Status) row {
	r := row{
		Status: st, ID: eventID(st.UUID), Path: orderPath(st.UUID), Title: title(st.FileNames), Class: class(st.Stage),
		Name: strings.TrimPrefix(string(st.Stage), "Import "), Owner: userPath(st.Group, st.User), Note: st.Waits,
	}
	if st.Stage == order.Failed {
		r.Note = st.Description
	}
	if p := st.Progress; p != nil && !st.Stage.Ended() {
		r.Bar = newBar(p)
	}
	return r
}

func class(s order.Stage) string {
	switch s {
	case order.Completed:
		return "completed"
	case order.Failed:
		return "failed"
	case order.Started, order.Preprocessing:
		return "working"
	default:
		return "waiting"
	}
}

// maxTitle bounds what a client may have written, in bytes.
const maxTitle = 200

// title names an order after its files.
func title(names string) string {
	var list []string
	text := names
	if json.Unmarshal([]byte(names), &list) == nil {
		switch len(list) {
		case 0:
			text = ""
		case 3: // the first, dots, the last
			text = list[0] + " … " + list[2]
		default:
			text = strings.Join(list, ", ")
		}
	}
	if len(text) > maxTitle {
		text = strings.ToValidUTF8(text[:maxTitle], "") + "…"
	}
	if strings.TrimSpace(text) == "" {
		return "Order"
	}
	return text
}

func newBar(p *tracking.Progress) *bar {
	b := &bar{Done: int64(p.FilesDone), Total: int64(p.FilesTotal)}
	parts := []string{p.Step, fmt.Sprintf("%d of %d files", p.FilesDone, p.FilesTotal)}
	if p.BytesTotal > 0 {
		b.Done, b.Total = p.BytesDone, p.BytesTotal
		parts = append(parts, units.HumanSize(float64(p.BytesDone))+" of "+units.HumanSize(float64(p.BytesTotal)))
	}
	if spent := p.Updated.Sub(p.Began); spent > 0 && p.BytesDone > 0 {
		parts = append(parts, units.HumanSize(float64(p.BytesDone)/spent.Seconds())+"/s")
	}
	if at := p.Expected(); !at.IsZero() && p.BytesDone < p.BytesTotal {
		parts = append(parts, "about "+roughly(at.Sub(p.Updated))+" left")
	}
	b.Text = strings.Join(parts, " · ")
	b.Done = min(max(b.Done, 0), b.Total)
	return b
}

// roughly says a time as people do.
func roughly(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d >= 2*unit.size {
			return strconv.FormatInt(int64((d+unit.size/2)/unit.size), 10) + " " + unit.name
		}
	}
	return strconv.FormatInt(int64(max(d, time.Second)/time.Second), 10) + " seconds"
}
