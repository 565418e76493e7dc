// Package api answers /api/v1: programs list, place, retry and cancel orders by it.
// openapi.yml describes all of it.
package api
