// Package order holds the domain: what an import order is, the stages it goes
// through, how manifests and legacy order files are decoded and checked, and
// what the receipt beside them says. It is pure: no SQL, no OMERO, no clock.
package order
