package podman

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"biomero-importer/preprocess"
)

// stream is what a container writes, as it does.
type stream struct {
	output *preprocess.Output
	body   io.Closer
	cancel context.CancelCauseFunc
	ended  chan struct{}
	err    error // why it is not complete; for whoever saw ended closed
	panics any   // of whoever watches; likewise
}

// follow reads from a container. The stream is usable even where that failed.
func (r *run) follow(ctx context.Context, id string, open func(context.Context, string) (io.ReadCloser, error)) (*stream, error) {
	s := &stream{output: preprocess.NewOutput(r.watch), ended: make(chan struct{})}
	ctx, s.cancel = context.WithCancelCause(ctx)
	hangs := time.AfterFunc(slowTime, func() { s.cancel(unanswered(slowTime)) })
	body, err := open(ctx, id)
	hangs.Stop()
	if err != nil {
		s.cancel(nil)
		s.err = err
		close(s.ended)
		return s, err
	}
	s.body = body
	stops := context.AfterFunc(ctx, func() { _ = body.Close() })
	go func() {
		defer close(s.ended)
		defer stops()
		defer func() {
			if p := recover(); p != nil {
				s.panics = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
		}()
		s.err = demultiplex(body, s.output)
		s.output.Close()
	}()
	return s, nil
}

// stop detaches. Nobody is told of anything afterwards. Here a panic of whoever watches is
// the caller's, and not the end of the process.
func (s *stream) stop() {
	if s == nil {
		return
	}
	s.cancel(nil)
	if s.body != nil {
		_ = s.body.Close()
	}
	<-s.ended
	if p := s.panics; p != nil {
		s.panics = nil
		panic(p)
	}
}

// drain waits for the rest of what an ended container wrote, and reports whether the
// stream saw everything.
func (s *stream) drain(ctx context.Context) bool {
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	s.stop()
	return s.err == nil
}

// drainTime is how long the end of the output may stay away from the end of a container.
// It is all in the log, too.
const drainTime = 5 * time.Second

// demultiplex takes apart the two streams that podman sends as one.
func demultiplex(from io.Reader, to *preprocess.Output) error {
	stdout, stderr := to.Writer(preprocess.Stdout), to.Writer(preprocess.Stderr)
	var header [8]byte
	for {
		_, err := io.ReadFull(from, header[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a converter's output: %w", err)
		}
		writer := stdout
		switch header[0] {
		case 0, 1:
		case 2:
			writer = stderr
		default:
			return fmt.Errorf("reading a converter's output: there is no stream %d", header[0])
		}
		if _, err := io.CopyN(writer, from, int64(binary.BigEndian.Uint32(header[4:]))); err != nil {
			return fmt.Errorf("reading a converter's output: %w", err)
		}
	}
}

// output reads all that an ended container wrote. Who followed it knows it already.
func (r *run) output(ctx context.Context, id string, watch preprocess.Watch) (*preprocess.Output, error) {
	ctx, cancel := within(ctx, slowTime)
	defer cancel()
	body, err := r.service.logs(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	output := preprocess.NewOutput(watch)
	if err := demultiplex(body, output); err != nil {
		return nil, failed(ctx, "reading the log of a container", err)
	}
	output.Close()
	return output, nil
}
