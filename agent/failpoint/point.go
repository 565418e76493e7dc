package failpoint

// Point is a place between two steps.
type Point string

// The places, in the order in which a drop and its order pass them.
const (
	Placing    Point = "placing"    // a drop and its order are about to be committed
	Placed     Point = "placed"     // they are
	Turning    Point = "turning"    // the dispatcher comes round
	Taking     Point = "taking"     // orders are about to be taken up
	Taken      Point = "taken"      // they are, and nobody works on them yet
	Listed     Point = "listed"     // an order's files are listed
	Beginning  Point = "beginning"  // orders are about to be marked as started
	Begun      Point = "begun"      // they are
	Checked    Point = "checked"    // an order's files can be imported
	Prepared   Point = "prepared"   // the backend says that an order can be imported, and its mark is saved
	Converting Point = "converting" // a converter is about to run
	Started    Point = "started"    // its container is about to start, and the stage is written
	Made       Point = "made"       // it has ended well, and nobody knows of it yet
	Kept       Point = "kept"       // what it made is noted
	Recording  Point = "recording"  // the backend is about to record filesets
	Recorded   Point = "recorded"   // it has, and links are still to be made
	Imported   Point = "imported"   // a batch is imported, and not saved yet
	Redirected Point = "redirected" // links lead to where what was converted stays
	Converted  Point = "converted"  // a converted file is saved, and what it was made in is left
	Saved      Point = "saved"      // a batch is saved, and another is to follow
	Ending     Point = "ending"     // orders' ends are about to be committed
	Ended      Point = "ended"      // they are
	Returning  Point = "returning"  // an order is about to be put back for another try
	Returned   Point = "returned"   // it is
	Reporting  Point = "reporting"  // a receipt is written, and still due by the database
)

// Points is all of them that orders without a converter pass.
func Points() []Point {
	return []Point{
		Placing, Placed, Taking, Taken, Listed, Beginning, Begun, Checked, Prepared, Recording, Recorded, Imported, Saved, Ending, Ended, Returning, Returned, Reporting,
	}
}

// OMEROPoints is those between an order's being taken up and its end that orders pass which are
// imported into OMERO.
func OMEROPoints() []Point {
	return []Point{Taken, Listed, Begun, Checked, Prepared, Imported, Ending, Ended, Returning, Returned}
}

// ConversionPoints is those between an order's being taken up and its end that orders with
// a converter pass.
func ConversionPoints() []Point {
	return []Point{
		Taken, Begun, Checked, Prepared, Converting, Started, Made, Kept, Recording, Recorded, Imported, Redirected, Saved, Converted, Ending, Ended,
	}
}
