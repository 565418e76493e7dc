package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/containers/podman/v5/pkg/auth"
	"go.podman.io/image/v5/types"

	"biomero-importer/preprocess"
)

// image is what podman says of one.
type image struct {
	ID     string `json:"Id"` //nolint:tagliatelle // podman's name
	Digest string
	Config struct {
		Env []string
	}
}

// digest identifies what ran.
func (i *image) digest() string {
	if i.Digest != "" {
		return i.Digest
	}
	return "sha256:" + i.ID
}

// image makes sure that an image is there, as the policy says.
func (c *Client) image(ctx context.Context, s *service, name string, watch preprocess.Watch) (*image, error) {
	if c.options.Pull != PullAlways {
		found, err := s.image(ctx, name)
		if found != nil || err != nil {
			return found, err
		}
		if c.options.Pull == PullNever {
			return nil, &preprocess.Error{Reason: fmt.Sprintf("The container image %s is not on the machine that runs converters, and this site pulls none: "+
				"ask whoever runs the importer to provide it.", name)}
		}
	}
	tell := watch.Pulling
	if tell == nil {
		tell = func(string) {}
	}
	if err := c.pulls.do(ctx, name, tell, func(ctx context.Context, tell func(string)) error {
		return s.pull(ctx, name, c.options.AuthFile, tell)
	}); err != nil {
		return nil, err
	}
	found, err := s.image(ctx, name)
	if err == nil && found == nil {
		err = fmt.Errorf("the image %s is gone after it was pulled", name)
	}
	return found, err
}

// image looks for an image; without it it is nil.
func (s *service) image(ctx context.Context, name string) (*image, error) {
	found := &image{}
	err := s.ask(ctx, http.MethodGet, "/images/%s/json", nil, nil, found, name)
	if says(err, http.StatusNotFound, "image not known", "no such image") {
		return nil, nil //nolint:nilnil // there is none
	}
	return found, err
}

// pull gets an image from its registry.
func (s *service) pull(ctx context.Context, name, authFile string, tell func(string)) error {
	headers, err := auth.MakeXRegistryAuthHeader(&types.SystemContext{AuthFilePath: authFile}, "", "")
	if err != nil {
		return fmt.Errorf("reading the credentials for registries: %w", err)
	}
	response, err := s.open(ctx, http.MethodPost, "/images/pull", url.Values{"reference": {name}, "policy": {"always"}}, headers, nil)
	if err != nil {
		return notPulled(name, err)
	}
	defer func() { _ = response.Body.Close() }()
	dec := json.NewDecoder(response.Body)
	for {
		var report struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := dec.Decode(&report)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return failed(ctx, "pulling "+name, err)
		case report.Error != "":
			return notPulled(name, errors.New(report.Error))
		case strings.TrimSpace(report.Stream) != "":
			tell(strings.TrimSpace(report.Stream))
		}
	}
}

// notPulled tells a name that nothing can be got by from what may pass.
func notPulled(name string, err error) error {
	text := strings.ToLower(err.Error())
	for _, word := range []string{"manifest unknown", "name unknown", "repository does not exist", "unauthorized", ": denied", "\ndenied", "resource is denied", "authentication required", "no image found"} {
		if strings.Contains(text, word) {
			return &preprocess.Error{Reason: fmt.Sprintf("The container image %s cannot be pulled: its registry does not have it, or does not give it to us. "+
				"Check its name and tag.", name), Err: err}
		}
	}
	return fmt.Errorf("pulling the image %s: %w", name, err)
}

// pulls are those under way. Many that ask for an image at the same time share one,
// which goes on for as long as one of them waits.
type pulls struct {
	mu      sync.Mutex
	running map[string]*pull
}

type pull struct {
	done   chan struct{}
	err    error
	cancel context.CancelFunc

	mu      sync.Mutex
	text    string
	changed chan struct{} // closed with the next text
	waiting int           // guarded by pulls.mu
}

// do pulls, or joins one that pulls the same.
func (p *pulls) do(ctx context.Context, name string, tell func(string), work func(ctx context.Context, tell func(string)) error) error {
	p.mu.Lock()
	running := p.running[name]
	if running == nil {
		lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
		running = &pull{done: make(chan struct{}), cancel: cancel, changed: make(chan struct{})}
		p.running[name] = running
		go func() {
			defer cancel()
			running.err = work(lasting, running.set)
			p.mu.Lock()
			if p.running[name] == running {
				delete(p.running, name)
			}
			p.mu.Unlock()
			close(running.done)
		}()
	}
	running.waiting++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if running.waiting--; running.waiting == 0 {
			running.cancel()
			if p.running[name] == running {
				delete(p.running, name)
			}
		}
	}()
	for {
		text, changed := running.get()
		if text != "" {
			tell(text)
		}
		select {
		case <-running.done:
			return running.err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

func (p *pull) set(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pull) get() (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text, p.changed
}
