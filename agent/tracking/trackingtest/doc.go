// Package trackingtest gives each test a real PostgreSQL database of its own,
// copied from a template that has the migrations, and leaves nothing running.
package trackingtest
