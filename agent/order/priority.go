package order

import "fmt"

// How urgent an order may be: a higher one goes first, and most have 0.
const (
	MinPriority = -100
	MaxPriority = 100
)

// Priorities says in a sentence what a priority may be.
var Priorities = fmt.Sprintf("a whole number from %d to %d", MinPriority, MaxPriority)

// IsPriority reports whether an order may have this priority.
func IsPriority(n int) bool { return MinPriority <= n && n <= MaxPriority }
