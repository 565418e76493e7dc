// Package access decides who may do what over HTTP: by token, by a proxy that is trusted
// to say who asks, or, where nothing else is set, because the request is this machine's.
package access
