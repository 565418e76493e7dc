package omerotest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

func TestTargetsByName(t *testing.T) {
	s := newSite(t)
	key := s.login()
	again := s.AddDataset("Retina", s.user, s.group, 0)
	imported := func(target string, files ...string) []int64 {
		t.Helper()
		r := s.run(s.importArgs(key, append([]string{"-T", target}, files...)...)...)
		require.Zero(t, r.exit, r.errors)
		images := s.State().Images
		return images[len(images)-1].Datasets
	}
	a, b := s.file("a.tif", []byte("x")), s.file("b.tif", []byte("x"))
	require.Equal(t, []int64{again}, imported("Dataset:name:Retina", a), "the newest")
	require.Equal(t, []int64{s.dataset}, imported("Dataset:-name:Retina", a), "the oldest")
	require.Equal(t, 2, s.run(s.importArgs(key, "-T", "Dataset:%name:Retina", a)...).exit)
	require.Equal(t, []int64{s.dataset}, imported("Dataset:id:51", a))
	require.Equal(t, []int64{s.dataset}, imported("Dataset:51", a))
	made := imported("Dataset:name:New:er", a, b)
	datasets := s.State().Datasets
	require.Len(t, datasets, 3)
	require.Equal(t, []int64{datasets[2].ID}, made)
	require.Equal(t, "New:er", datasets[2].Name)
	require.Equal(t, s.user, datasets[2].Owner)
	imported("Dataset:@name:Many", a, b)
	require.Len(t, s.State().Datasets, 5, "one for each fileset")
}

func TestTargetsOfOthers(t *testing.T) {
	s := newSite(t)
	other := s.AddGroup("Other", omerotest.ReadWrite)
	colleague := s.AddUser(omerotest.User{Name: "colleague", Password: "secret"})
	s.AddMember(omerotest.Member{User: s.user, Group: other})
	s.AddMember(omerotest.Member{User: colleague, Group: s.group})
	elsewhere := s.AddDataset("Elsewhere", s.user, other, 0)
	theirs := s.AddDataset("Theirs", colleague, s.group, 0)
	shared := s.AddDataset("Shared", colleague, other, 0)
	require.Equal(t, []int64{52, 53, 54}, []int64{elsewhere, theirs, shared})
	key := s.login()
	path := s.file("a.tif", []byte("x"))

	r := s.run(s.importArgs(key, "-d", "52", path)...)
	require.Equal(t, 2, r.exit, "own, but in another group than the session")
	require.Contains(t, r.errors, "Could not load target: Dataset:52")
	r = s.run(s.importArgs(key, "-d", "53", path)...)
	require.Equal(t, 2, r.exit, "somebody else's, in a read-only group")
	require.Contains(t, r.errors, "Cannot link to target")
	require.Empty(t, s.State().Filesets)

	require.Zero(t, s.run(s.logins("-u", "researcher", "-g", "Other", "--sudo", "root")...).exit)
	key = s.State().Sessions[1].UUID
	r = s.run(s.importArgs(key, "-d", "54", path)...)
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, other, s.State().Images[0].Group)
}

func TestLeaders(t *testing.T) {
	s := newSite(t)
	leader := s.AddUser(omerotest.User{Name: "leader", Password: "secret"})
	s.AddMember(omerotest.Member{User: leader, Group: s.group, Leader: true})
	s.env = append(s.env, "OMERO_PASSWORD=secret")
	require.Zero(t, s.run(s.logins("-u", "leader", "-g", "Demo")...).exit)
	r := s.run(s.importArgs(s.State().Sessions[0].UUID, "-d", "51", s.file("a.tif", []byte("x")))...)
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, leader, s.State().Images[0].Owner)
}
