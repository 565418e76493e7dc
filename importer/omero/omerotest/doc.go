// Package omerotest is a pretended OMERO server for tests: one state, which an
// omero executable and an OMERO.web on HTTP share, and which tests set up, look
// at, and have fail. Both do what contracts/omero.md says, the odd cases included,
// and what the sources of omero-py 5.22, omero-blitz 5.8, omero-server,
// omero-web 5.31 and omero-cli-zarr 0.8 say where the contract does not.
//
//	o := omerotest.New(t)
//	user := o.AddUser(omerotest.User{Name: "researcher", Password: "secret"})
//	group := o.AddGroup("Demo", omerotest.ReadOnly)
//	o.AddMember(omerotest.Member{User: user, Group: group})
//	dataset := o.AddDataset("Retina", user, group, 0)
//	… run o.CLI, or send requests to o.Web(t) …
//	require.Len(t, o.State().Images, 1)
//
// # The executable
//
// The first New of a process builds it, and keeps it in memory; each New writes
// it into the test's own folder, from where it finds its server. It needs
// nothing of its environment, and nothing is left of it when the tests are done.
// Without OMERO_SESSIONDIR and OMERO_USERDIR it keeps its sessions in that
// folder, never in the tester's home.
//
// # What a server is like
//
//   - root is its only user at first, with RootPassword. Everybody is in the group
//     "user" besides their own, as membership queries show.
//   - It listens at Host and Port; another host is not found (43), another port
//     refused (42). Its plain port 4063 is closed unless Options.PlainPort is set,
//     so that imports need "--encrypted true".
//   - Projects, Datasets and Screens are numbered alike, and so are images and
//     plates, so that who takes one for the other finds something wrong. Numbers
//     have gaps. Rows of queries come in no order: the last first.
//   - The server records a fileset before the client has linked its files, and
//     makes its images after that. A client that dies in between leaves a fileset
//     without images, which counts in max(f.id).
//   - After an import without any error ln_s takes the right to write from the
//     sources.
//   - A join with a key fails with 11 for whatever reason, also when the server is
//     down; 42 to 45 are of logins with a password. A session that was last used
//     and is gone is told on standard output.
//   - A target that is not in the session's group, or cannot be linked to, fails
//     the fileset (2, or 0 with -c), not the login.
//   - Unknown formats are passed over without a word.
//
// # What files are
//
// Content comes first. A file whose first line begins with "omerotest:" says what
// it is: ImagesFile, PlatesFile, MainFile, CorruptFile, UnknownFile,
// UnreadableFile and FailingFile make such content. Otherwise:
//
//   - A TIFF is an image, or as many as its OME-XML has; plates if that has some.
//     It is corrupt if its first directory lies beyond its end.
//   - A PNG is an image, and corrupt without its end.
//   - name.companion.ome is one fileset with the files that its OME-XML names.
//   - What is below a folder *.zarr is one fileset, a plate if its metadata says so.
//     Files with a dot before their name are not seen, so an import finds a Zarr
//     only if --depth reaches a chunk.
//   - Any other file with the extension of a format is one image, whatever it
//     holds; an empty one is of no format.
//   - Everything else is of no format.
//
// Images go into a Dataset and plates into a Screen; what does not fit its target
// is imported and linked to nothing.
//
// # Faults
//
// Fail plans that something goes wrong: Fault.At is where, Fault.Kind what,
// Fault.After how much is done before, Fault.Times how often. Heal ends it all.
package omerotest
