// Package health keeps what the parts of an agent say of themselves, and tells it to
// load balancers, to orchestrators and to systemd. Parts report when their state changes;
// nobody who asks makes them do anything.
package health
