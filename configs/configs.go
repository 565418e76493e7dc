// Package configs has the documented settings file in the program.
package configs

import _ "embed"

// Settings is settings.yml: every key, with its default and what it means.
//
//go:embed settings.yml
var Settings string
