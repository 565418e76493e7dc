package tracking

import (
	"context"
)

// numbers are of a sequence, taken ahead, so that rows can refer to each other
// without being read back. What a process does not use is never used.
type numbers struct{ free []int64 }

// numbersAhead is how many are taken at least.
const numbersAhead = 1000

// want sees to it that next can be called n times.
func (s *numbers) want(ctx context.Context, q querier, n int) error {
	if len(s.free) >= n {
		return nil
	}
	return q.QueryRow(ctx, `SELECT ARRAY (SELECT nextval('importer.repository_ids') FROM generate_series(1, $1))`, max(n, numbersAhead)).Scan(&s.free)
}

func (s *numbers) next() int64 {
	n := s.free[0]
	s.free = s.free[1:]
	return n
}
