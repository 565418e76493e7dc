package intake

import "time"

// SetBudget bounds an inspection.
func (in *Intake) SetBudget(d time.Duration) { in.budget = d }

// SetRoom bounds how many patterns may wait below one own folder.
func (in *Intake) SetRoom(globs int) { in.manifests.most.globs = globs }

// Kept is how many manifests are not done with.
func (in *Intake) Kept() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.manifests.byPath)
}
