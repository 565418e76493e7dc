package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Channels that the database notifies on.
const (
	OrdersChannel  = "importer_orders"
	ReportsChannel = "importer_reports"
)

// Listen calls heard at each notification on the channel, and whenever it has
// begun to listen anew, since what was announced before that is lost. A broken
// connection is told to broken and replaced. It returns when ctx ends.
func (s *Store) Listen(ctx context.Context, channel string, heard func(), broken func(error)) {
	for {
		err := s.listen(ctx, channel, heard)
		if ctx.Err() != nil {
			return
		}
		broken(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (s *Store) listen(ctx context.Context, channel string, heard func()) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connecting to listen on %s: %w", channel, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listening on %s: %w", channel, err)
	}
	for {
		heard()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listening on %s: %w", channel, err)
		}
	}
}
