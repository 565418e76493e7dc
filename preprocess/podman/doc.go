// Package podman runs converters over the API of a podman service, so that this program
// needs neither privileges nor podman itself. It is the only package that knows podman.
//
// A container has the order, the input and the installation in its labels, and a name
// made of them, so that there is never more than one for an input and a later agent
// finds it. Paths are given to podman as they are here: an agent in a container needs
// the share and the temporary folder under the same paths as the service has them.
//
// A converter runs as this process's own user, without any capability: it may read and
// write what this process may, less what root may just because it is root. It has no
// network, a root that it cannot write to, and a /tmp of its own, which is its home too.
//
// Of the bindings only the connection is used. What is read of a container is the log
// that podman keeps of it, which ends with its answer whoever followed it; the log holds
// the last megabytes of an endless output.
package podman
