package podman

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings"

	"biomero-importer/preprocess"
)

// dial connects to the socket, or to the first of the usual places that answers.
func dial(ctx context.Context, socket string) (*bindings.Connection, error) {
	var faults []error
	for _, uri := range sockets(socket) {
		conn, err := dialOne(ctx, uri)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		faults = append(faults, err)
	}
	return nil, fmt.Errorf("%w: nothing answers at its socket; start it with \"systemctl enable --now podman.socket\", "+
		"or name it in podman.socket: %w", preprocess.ErrUnavailable, errors.Join(faults...))
}

// dialOne names the socket in its errors, without a password.
func dialOne(ctx context.Context, uri string) (*bindings.Connection, error) {
	parsed, err := url.Parse(uri)
	if err != nil {
		return nil, errors.New("it is no URI")
	}
	ctx, cancel := within(ctx, briefTime)
	defer cancel()
	connected, err := bindings.NewConnection(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", parsed.Redacted(), err)
	}
	return bindings.GetClient(connected)
}

// sockets are the places to look at, as URIs.
func sockets(socket string) []string {
	if socket == "" {
		socket = os.Getenv("CONTAINER_HOST")
	}
	if socket != "" {
		return []string{uri(socket)}
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	}
	return []string{uri("/run/podman/podman.sock"), uri(filepath.Join(runtime, "podman/podman.sock"))}
}

func uri(socket string) string {
	if strings.HasPrefix(socket, "/") {
		return "unix://" + socket
	}
	return socket
}
