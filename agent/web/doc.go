// Package web shows orders in the browser and as JSON. It only reads.
package web
