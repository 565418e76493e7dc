// Package postgres runs a private PostgreSQL cluster from the binaries that
// the machine has installed: in a state folder, reachable over a unix socket
// only, shared by the agents that use the folder, and ended with the last of
// them.
package postgres
