package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running process, as the kernel knows it.
type process int

func (p process) file(names ...string) string {
	return filepath.Join(append([]string{"/proc", strconv.Itoa(int(p))}, names...)...)
}

// memory is in megabytes.
type memory struct{ resident, peak, anonymous, files float64 }

func (p process) memory() (memory, error) {
	text, err := os.ReadFile(p.file("status"))
	if err != nil {
		return memory{}, err
	}
	var m memory
	wanted := map[string]*float64{"VmRSS": &m.resident, "VmHWM": &m.peak, "RssAnon": &m.anonymous, "RssFile": &m.files}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if wanted[name] == nil {
			continue
		}
		kibibytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
		if err != nil {
			return memory{}, err
		}
		*wanted[name] = kibibytes * 1024 / 1e6
	}
	return m, nil
}

// cpu is the time spent so far, in the program and in the kernel for it.
func (p process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return 0, err
	}
	// The second field is a name in brackets; user and system time are the
	// 14th and 15th, in hundredths of a second on every Linux.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s is too short", p.file("stat"))
	}
	user, userErr := strconv.Atoi(fields[11])
	system, systemErr := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(userErr, systemErr)
}

// watches lists the inodes of the files and folders that the process watches.
func (p process) watches() ([]uint64, error) {
	entries, err := os.ReadDir(p.file("fdinfo"))
	if err != nil {
		return nil, err
	}
	var inodes []uint64
	for _, entry := range entries {
		text, err := os.ReadFile(p.file("fdinfo", entry.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "inotify") {
				continue
			}
			var wd int
			var inode uint64
			if _, err := fmt.Sscanf(line, "inotify wd:%x ino:%x", &wd, &inode); err != nil {
				return nil, err
			}
			inodes = append(inodes, inode)
		}
	}
	return inodes, nil
}

// watching waits until the process watches all of these folders.
func (p process) watching(ctx context.Context, folders ...string) error {
	var wanted []uint64
	for _, folder := range folders {
		var st syscall.Stat_t
		if err := syscall.Stat(folder, &st); err != nil {
			return err
		}
		wanted = append(wanted, st.Ino)
	}
	slices.Sort(wanted)
	err := until(ctx, 100*time.Millisecond, time.Minute, func() (bool, error) {
		inodes, err := p.watches()
		found := 0
		for _, inode := range inodes {
			if _, ok := slices.BinarySearch(wanted, inode); ok {
				found++
			}
		}
		return found >= len(wanted), err
	})
	if err != nil {
		return fmt.Errorf("waiting for the agent to watch %d folders: %w", len(folders), err)
	}
	return nil
}
