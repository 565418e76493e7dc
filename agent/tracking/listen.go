package tracking

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Channels that the database notifies on.
const (
	OrdersChannel  = "importer_orders"
	ReportsChannel = "importer_reports"
)

// Listen calls heard with a channel's name at each notification on it, and
// once for every channel when it has begun to listen, since what was announced
// before that is lost. It returns when the connection breaks or ctx ends.
func (s *Store) Listen(ctx context.Context, channels []string, heard func(channel string)) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connecting to listen for orders: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, channel := range channels {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return fmt.Errorf("listening for orders: %w", err)
		}
	}
	for _, channel := range slices.Clone(channels) {
		heard(channel)
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listening for orders: %w", err)
		}
		heard(n.Channel)
	}
}
