package server

// row is anything that has a number.
type row interface{ number() int64 }

func (u User) number() int64       { return u.ID }
func (g Group) number() int64      { return g.ID }
func (m Member) number() int64     { return m.ID }
func (c Container) number() int64  { return c.ID }
func (f Fileset) number() int64    { return f.ID }
func (i Image) number() int64      { return i.ID }
func (p Plate) number() int64      { return p.ID }
func (a Annotation) number() int64 { return a.ID }
func (l Link) number() int64       { return l.ID }
func (s Session) number() int64    { return s.ID }
func (c Call) number() int64       { return c.ID }
func (r Request) number() int64    { return r.ID }
func (p Plan) number() int64       { return p.ID }

// table holds rows in the order in which they came.
type table[T row] struct {
	rows  []T
	index map[int64]int
	last  int64 // the highest number
}

// put adds a row, or replaces that of its number.
func (t *table[T]) put(r T) {
	if t.index == nil {
		t.index = map[int64]int{}
	}
	id := r.number()
	if at, ok := t.index[id]; ok {
		t.rows[at] = r
		return
	}
	t.index[id] = len(t.rows)
	t.rows = append(t.rows, r)
	t.last = max(t.last, id)
}

func (t *table[T]) get(id int64) (T, bool) {
	at, ok := t.index[id]
	if !ok {
		var none T
		return none, false
	}
	return t.rows[at], true
}

// next is a number for a new row, not below first. Numbers of a database have
// gaps; these too, so that nobody counts on there being none.
func (t *table[T]) next(first int64) int64 {
	if len(t.rows) == 0 || t.last < first {
		return first
	}
	if t.last%7 == 0 {
		return t.last + 3
	}
	return t.last + 1
}
