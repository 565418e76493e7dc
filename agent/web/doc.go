// Package web shows orders in the browser and as JSON, and answers health
// checks. It only reads.
package web
