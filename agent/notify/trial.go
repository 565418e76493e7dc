package notify

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"biomero-importer/agent/notify/message"
)

// Trial is what came of a sample.
type Trial struct {
	Target string `json:"target"`
	To     string `json:"to,omitempty"` // of a mail
	OK     bool   `json:"ok"`
	Fault  string `json:"fault,omitempty"`
}

// Try sends a sample to each target: by mail to the user, or to the sender where none is
// named.
func (n *Notifier) Try(ctx context.Context, user string) []Trial {
	defer n.close()
	trials := make([]Trial, len(n.targets))
	for i, t := range n.targets {
		trials[i] = n.try(ctx, t, user)
	}
	return trials
}

func (n *Notifier) try(ctx context.Context, t target, user string) Trial {
	ctx, cancel := context.WithTimeout(ctx, deliver)
	defer cancel()
	trial := Trial{Target: t.target().Name}
	id := uuid.NewString()
	events := []message.Event{message.Sample(id, time.Now().UTC())}
	var err error
	if m, ok := t.(*mailer); ok {
		trial.To = m.From
		if user != "" {
			trial.To, err = m.Address(ctx, user)
		}
		if err == nil {
			err = m.send(ctx, trial.To, id, events)
		}
	} else {
		err = t.deliver(ctx, id, events, 1)
	}
	if trial.OK = err == nil; err != nil {
		trial.Fault = message.Plain(err.Error(), maxFault)
	}
	return trial
}

// ErrNoMail is asked for a mail server where there is none.
var ErrNoMail = errors.New("no mail server is set")

// Ping connects to the mail server and logs in. ErrNoMail: there is none.
func (n *Notifier) Ping(ctx context.Context) error {
	for _, t := range n.targets {
		if m, ok := t.(*mailer); ok {
			ctx, cancel := context.WithTimeout(ctx, deliver)
			defer cancel()
			return m.ping(ctx)
		}
	}
	return ErrNoMail
}
