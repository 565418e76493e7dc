package failpoint

// Point is a place between two steps.
type Point string

// The places, in the order in which a drop and its order pass them.
const (
	Placing   Point = "placing"   // a drop and its order are about to be committed
	Placed    Point = "placed"    // they are
	Taking    Point = "taking"    // orders are about to be marked as started
	Taken     Point = "taken"     // they are, and nobody works on them yet
	Checked   Point = "checked"   // an order's files can be imported
	Recording Point = "recording" // the backend is about to record filesets
	Recorded  Point = "recorded"  // it has, and links are still to be made
	Imported  Point = "imported"  // a batch is imported, and not saved yet
	Saved     Point = "saved"     // it is, and another is to follow
	Ending    Point = "ending"    // orders' ends are about to be committed
	Ended     Point = "ended"     // they are
	Returning Point = "returning" // an order is about to be put back for another try
	Returned  Point = "returned"  // it is
	Reporting Point = "reporting" // a receipt is written, and still due by the database
)

// Points is all of them.
func Points() []Point {
	return []Point{
		Placing, Placed, Taking, Taken, Checked, Recording, Recorded, Imported, Saved, Ending, Ended, Returning, Returned, Reporting,
	}
}
