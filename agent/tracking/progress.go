package tracking

import (
	"context"
	"fmt"
	"time"
)

// Progress is how far a run has come. It is shown, and decides nothing.
type Progress struct {
	Step       string    `json:"step"`
	FilesDone  int       `json:"files_done"`
	FilesTotal int       `json:"files_total"`
	BytesDone  int64     `json:"bytes_done"`
	BytesTotal int64     `json:"bytes_total"`
	Began      time.Time `json:"began"` // the run
	Updated    time.Time `json:"updated"`
}

// Expected is when a run will have ended if it goes on as it has; zero where
// nothing tells.
func (p *Progress) Expected() time.Time {
	if p.BytesDone <= 0 {
		return time.Time{}
	}
	rest := float64(p.BytesTotal-p.BytesDone) / float64(p.BytesDone)
	return p.Updated.Add(time.Duration(rest * float64(p.Updated.Sub(p.Began))))
}

// SaveProgress notes how far a run has come.
func (s *Store) SaveProgress(ctx context.Context, job Job, p Progress) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO importer.progress AS g (uuid, run, step, files_done, files_total, bytes_done, bytes_total, began_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (uuid) DO UPDATE SET run = excluded.run, step = excluded.step, files_done = excluded.files_done,
		    files_total = excluded.files_total, bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total,
		    began_at = excluded.began_at, updated_at = excluded.updated_at
		WHERE g.run <= excluded.run`,
		job.UUID, job.Run, p.Step, p.FilesDone, p.FilesTotal, p.BytesDone, p.BytesTotal, p.Began, p.Updated)
	if err != nil {
		return fmt.Errorf("saving the progress of order %s: %w", job.UUID, err)
	}
	return nil
}
