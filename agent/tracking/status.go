package tracking

import "context"

// Statuses returns those of the orders that there are, by their uuids, without their
// files.
func (s *Store) Statuses(ctx context.Context, uuids []string) (map[string]*Status, error) {
	asked := make([]string, len(uuids))
	for i, id := range uuids {
		asked[i] = text(id)
	}
	return s.statuses(ctx, asked)
}
