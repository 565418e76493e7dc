package tracking

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// numbers are of a sequence, taken ahead, so that rows can refer to each other
// without being read back. What a session does not use is never used.
type numbers struct{ free []int64 }

// numbersAhead is how many are taken at least.
const numbersAhead = 1000

// numbersKey is where a connection keeps its numbers. They end with it: a server that
// took over from the one that gave them may not know of it, and give them again.
const numbersKey = "importer.repository_ids"

// numbersOf is a connection's numbers, of which next can be called n times.
func numbersOf(ctx context.Context, conn *pgx.Conn, n int) (*numbers, error) {
	kept := conn.PgConn().CustomData()
	s, ok := kept[numbersKey].(*numbers)
	if !ok {
		s = &numbers{}
		kept[numbersKey] = s
	}
	if len(s.free) >= n {
		return s, nil
	}
	return s, conn.QueryRow(ctx, `SELECT ARRAY (SELECT nextval('importer.repository_ids') FROM generate_series(1, $1))`, max(n, numbersAhead)).Scan(&s.free)
}

func (s *numbers) next() int64 {
	n := s.free[0]
	s.free = s.free[1:]
	return n
}
