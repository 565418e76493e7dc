// Package podmantest gives tests a podman service with a storage of its own, and images
// that need no registry.
package podmantest
