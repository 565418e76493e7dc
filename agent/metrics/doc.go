// Package metrics counts what the parts of an agent tell it, for Prometheus. Labels are
// of sets that are known before: never names, paths or numbers of orders.
package metrics
