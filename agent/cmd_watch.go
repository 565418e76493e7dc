package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	sizes "github.com/docker/go-units"
	"github.com/spf13/cobra"

	"biomero-importer/agent/follow"
	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/agent/terminal"
	"biomero-importer/agent/tracking"
)

// errOrderFailed is how following an order ends that failed.
var errOrderFailed = fmt.Errorf("the order failed: %w", errReported)

func (a *app) watchCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "watch [UUID]",
		Short: "Follow an order until it ends, or all orders",
		Long: `Follow an order until it ends, or all orders that run or change from now on: with a bar
for each that runs, its rate and when it is expected to end, on a terminal, and with a
line for each change elsewhere. It looks once a second, and goes on when a database that
did not answer does again.

With a UUID the exit status says how the order ended: 0 is completed, 6 failed; 4 says
that watching ended before it. agent/README.md documents the JSON, of which each line is an
object.

` + exitCodes,
		Example: `  biomero-importer order watch
  biomero-importer order watch "$(biomero-importer order submit --manifest scan7.order.yml)"`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			v := a.view(asJSON, len(args) == 1)
			return a.withStore(c.Context(), func(ctx context.Context, s *tracking.Store) error {
				defer v.close()
				f := &follow.Follower{
					Source: s, Changed: v.show,
					Lost: func(err error) {
						a.tell("The database does not answer, and is waited for: " + logging.Mask(err.Error()))
					},
					Found: func() { a.tell("The database answers again.") },
				}
				if len(args) == 0 {
					return f.All(ctx)
				}
				return outcomeOf(f.Order(ctx, args[0]))
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object for each change")
	return c
}

// tell is for who reads the messages of a command.
func (a *app) tell(text string) { _, _ = fmt.Fprintln(a.err, printable(text)) }

func outcomeOf(stage order.Stage, err error) error {
	switch {
	case err != nil, stage == order.Completed:
		return err
	case stage == order.Failed:
		return errOrderFailed
	default:
		return order.Errorf(order.Busy, "the order has not ended: it is %q", stage)
	}
}

// view shows changes.
type view interface {
	show(c follow.Change) (more bool)
	close()
}

func (a *app) view(asJSON, one bool) view {
	switch {
	case asJSON:
		return jsonView{json.NewEncoder(a.out)}
	case terminal.Is(a.out):
		return barView{terminal.NewBars(a.out), one}
	default:
		return lineView{a.out}
	}
}

type jsonView struct{ *json.Encoder }

func (v jsonView) show(c follow.Change) bool { return v.Encode(c) == nil }
func (v jsonView) close()                    {}

type lineView struct{ io.Writer }

func (v lineView) show(c follow.Change) bool {
	_, err := fmt.Fprintln(v, printable(changeLine(&c)))
	return err == nil
}
func (v lineView) close() {}

// barView has bars for what runs; of one order, also while it waits.
type barView struct {
	*terminal.Bars

	one bool
}

func (v barView) show(c follow.Change) bool {
	switch {
	case c.Stage.Ended():
		v.End(c.UUID)
		v.Line(changeLine(&c))
	case c.Stage == order.Pending && !v.one:
		v.Line(changeLine(&c))
	case c.Step == "":
		v.Set(c.UUID, barName(&c), strings.TrimSpace(string(c.Stage)+" "+c.Waits), 0, 1)
	case c.BytesTotal > 0:
		v.Set(c.UUID, barName(&c), pace(&c, c.Time), c.BytesDone, c.BytesTotal)
	default:
		v.Set(c.UUID, barName(&c), pace(&c, c.Time), int64(c.FilesDone), int64(c.FilesTotal))
	}
	return true
}

func (v barView) close() { v.Close() }

func barName(c *follow.Change) string {
	return c.UUID + " " + c.User
}

// changeLine says in a line where an order stands.
func changeLine(c *follow.Change) string {
	line := fmt.Sprintf("%s  %s  %s  %s", c.Time.Local().Format(time.TimeOnly), c.UUID, c.User, c.Stage)
	if c.Step != "" {
		line += "  " + pace(c, c.Time)
	}
	return strings.TrimRight(strings.Join([]string{line, c.Waits, c.Reason}, "  "), " ")
}

// pace says how far a run has come, how fast, and when it is expected to end.
func pace(c *follow.Change, now time.Time) string {
	text := fmt.Sprintf("%s, %d of %d files", c.Step, c.FilesDone, c.FilesTotal)
	if c.BytesTotal > 0 {
		text += fmt.Sprintf(", %s of %s", sizes.BytesSize(float64(c.BytesDone)), sizes.BytesSize(float64(c.BytesTotal)))
	}
	if c.BytesPerSecond > 0 {
		text += ", " + sizes.BytesSize(c.BytesPerSecond) + "/s"
	}
	if c.Expected != nil {
		text += ", " + max(c.Expected.Sub(now), 0).Round(time.Second).String() + " left"
	}
	return text
}
