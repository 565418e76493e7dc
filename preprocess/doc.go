// Package preprocess holds what the conversion of one input by a container asks for
// and gives back, and everything about it that needs no podman: the command line, the
// converter's answer, the folders that it writes into, and what becomes of its files.
// The package podman below it runs the containers.
//
// # Folders
//
// A converter writes into two folders of its own, which are new for every container:
//
//	<folder of the input>/.processed/.partial-<order>-<input>-<run>   what is to stay
//	<Request.Temp>/out-<run>                                          copies to import
//
// In Temp, outside of what a container sees, are also the files run.json, which says
// which container these folders belong to, result.json, which says what became of the
// files, and lock, which whoever works on the input holds locked.
//
// # What a later run knows
//
// Whoever comes after an agent that died calls the same again and goes on by this:
//
//   - There is result.json: the container has ended, its answer was accepted, and every
//     file has the name under which it is published. Those that are still in the partial
//     folder are renamed; a file is renamed without replacing another, and where its
//     name was taken meanwhile the new one is written into result.json first. So a file
//     that is not in the partial folder any more is the one under its name.
//   - There is run.json and a container of that run: it is gone on with.
//   - There is run.json and no such container: what it left is removed and a new one is
//     started, with new folders. One that still runs elsewhere writes where nobody looks.
//   - There is nothing: nothing was begun.
//
// Everything that a converter left and that has content is published, under the name that
// it has in the partial folder or, where that is taken, with the order's short UUID: an
// image may consist of more files than the answer names.
//
// CleanUp removes the partial folder first and Temp last, so that Sweep, which looks
// into the folder of all temporary folders, finds what was not cleaned up to the end.
// Containers are removed before either: what they still wrote would come back.
//
// # A share that others change
//
// Whoever may write to the share may put links in the place of folders, and so may the
// container. Folders are entered one by one, as what they are and never through a link,
// and files are looked at and renamed within the folders that were entered. Only podman
// itself is given paths; whether a path still leads to the entered folder is checked
// right before it mounts them, and right before and after it starts a container.
package preprocess
