package intake

import (
	"cmp"
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"biomero-importer/agent/config"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// verdict is what is done about a drop.
type verdict int

const (
	leave   verdict = iota // its record stays as it is
	save                   // its record is written
	flag                   // as save: it changed, and is not imported again
	arrange                // as save, and it becomes part of an order
)

// recordOf is a drop's record as it is if the drop is taken. content is 0 if its
// fingerprint is not known, or was not asked for.
func recordOf(d *watcher.Drop, prev *tracking.Drop, content uint64) tracking.Drop {
	record := tracking.Drop{
		Path: d.Path, Kind: tracking.DropFile, Size: d.Size, ModTime: d.ModTime.UnixNano(), Inode: d.Inode,
		Mark: d.Mark, Fingerprint: content, State: tracking.DropTaken, Version: prev.Version,
	}
	if d.IsDir {
		record.Kind = tracking.DropFolder
	}
	if content == 0 && prev.Version > 0 && sameStamp(prev, d) {
		record.Fingerprint = prev.Fingerprint
	}
	return record
}

// judge decides what a data drop is; prev is its record, if it has one.
func (in *Intake) judge(d *watcher.Drop, prev *tracking.Drop, content uint64, over map[string]bool) (tracking.Drop, verdict) {
	record := recordOf(d, prev, content)
	if prev.State == tracking.DropTaken && unchanged(prev, d, content) ||
		prev.State == tracking.DropRefused && sameStamp(prev, d) {
		return follow(prev, &record)
	}
	if holder := in.holderOf(d, prev, over); holder != nil {
		holder.held[d.Path] = heldDrop{Drop: *d, content: record.Fingerprint}
		if prev.State == tracking.DropHeld && prev.Holder == holder.path && sameStamp(prev, d) {
			return record, leave
		}
		record.State, record.Holder = tracking.DropHeld, holder.path
		record.Reason = "It waits for the manifest " + filepath.Base(holder.path) + "."
		record.UUID = prev.UUID // so that it still counts as changed if the manifest leaves it
		return record, save
	}
	taken := prev.UUID != "" && (prev.State == tracking.DropTaken || prev.State == tracking.DropHeld)
	if onChange := in.config.Rules[d.Rule].OnChange; taken && (onChange == config.Ignore || onChange == config.Flag) {
		return passOver(prev, &record, onChange)
	}
	if reason := unfit(d); reason != "" {
		record.State, record.Reason = tracking.DropRefused, reason
		return record, save
	}
	return record, arrange
}

// passOver lets the record follow a changed drop that is not imported again.
func passOver(prev, now *tracking.Drop, onChange config.OnChange) (tracking.Drop, verdict) {
	record := *now
	record.Fingerprint = prev.Fingerprint // of what was imported, which copies are compared with
	record.UUID, record.DuplicateOf, record.Changed = prev.UUID, prev.DuplicateOf, prev.Changed || onChange == config.Flag
	if record.Changed {
		record.Reason = "It changed after it became part of the order " + prev.UUID + ", and was not imported again."
	}
	if onChange == config.Flag {
		return record, flag
	}
	return record, save
}

// follow keeps all of a record but what tells the drop apart from others.
func follow(prev, now *tracking.Drop) (tracking.Drop, verdict) {
	record := *prev
	record.Size, record.ModTime, record.Inode = now.Size, now.ModTime, now.Inode
	record.Mark, record.Fingerprint = now.Mark, cmp.Or(now.Fingerprint, prev.Fingerprint)
	if record.Size == prev.Size && record.ModTime == prev.ModTime && record.Inode == prev.Inode &&
		record.Mark == prev.Mark && record.Fingerprint == prev.Fingerprint {
		return record, leave
	}
	return record, save
}

// unchanged reports whether a drop is what was taken. After a remount its
// inode is another; after a touch its time is. Then its content tells; where
// that was not known when it was taken, a change of either counts as no more
// than that, and a change of both as one of the content.
func unchanged(prev *tracking.Drop, d *watcher.Drop, content uint64) bool {
	switch {
	case prev.Size != d.Size:
		return false
	case sameStamp(prev, d) && sameInode(prev, d):
		return true
	case content != 0 && prev.Fingerprint != 0:
		return content == prev.Fingerprint
	}
	return sameStamp(prev, d) || d.Inode != 0 && d.Inode == prev.Inode
}

// holderOf is the manifest that a drop waits for, if any. After a restart that
// may be one that the watcher has yet to show, unless it is over.
func (in *Intake) holderOf(d *watcher.Drop, prev *tracking.Drop, over map[string]bool) *manifest {
	if m := in.manifests.holder(d.Path); m != nil {
		return m
	}
	if prev.State == tracking.DropHeld && sameStamp(prev, d) && !over[prev.Holder] {
		return in.standIn(prev.Holder)
	}
	return nil
}

// unfit says what keeps a file from ever being imported as it is.
func unfit(d *watcher.Drop) string {
	switch {
	case !utf8.ValidString(d.Path):
		return fmt.Sprintf("Its name %q is not valid UTF-8, which OMERO cannot store: rename it.", d.Path)
	case !d.IsDir && d.Size == 0:
		return "The file is empty."
	}
	return ""
}
