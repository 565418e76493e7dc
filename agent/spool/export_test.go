package spool

// Truncate has the list's file lose what is behind so many bytes.
func (l *List) Truncate(size int64) error { return l.file.Truncate(size) }
