//go:build !failpoints

package failpoint

// Hit does nothing in a program that is not made for tests.
func Hit(Point) {}
