// Package config reads the settings: a YAML file, every key of which
// configs/settings.yml documents, and the environment, which wins.
package config
