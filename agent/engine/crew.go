package engine

// crew does tasks at once, in goroutines that stay for the next: as many as there ever were
// at the same time. An order that begins on a small stack of its own has it copied again and
// again until it has grown: a twelfth of what an agent did.
type crew struct {
	tasks chan func() // only who has nothing to do receives
	quit  chan struct{}
}

func newCrew() crew { return crew{tasks: make(chan func()), quit: make(chan struct{})} }

// do has a task done, and does not wait for it.
func (c crew) do(task func()) {
	select {
	case c.tasks <- task:
	default:
		go func() {
			for {
				task()
				task = nil // or what it was about would stay with who waits
				select {
				case task = <-c.tasks:
				case <-c.quit:
					return
				}
			}
		}()
	}
}

// dismiss lets go of those who have nothing to do, and of the others once they have done it.
func (c crew) dismiss() { close(c.quit) }
