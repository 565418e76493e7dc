// Package config reads the settings: a YAML file, every key of which
// configs/settings.yml documents, and the environment, which wins. What it
// returns is complete and checked; what it refuses, it refuses with the file
// and line, or the variable, that is to be mended.
package config
