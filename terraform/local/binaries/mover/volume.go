package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// As long as it lies in the root of a volume, the volume is not restored whole.
const marker = ".pra-restoring"

// What a new file system has in its root, and no application put there.
const lostAndFound = "lost+found"

// prepare takes a volume for the restore with this id. It must be empty, or half filled by a restore of the same: a volume
// that holds something is never written to.
func prepare(root, id string) error {
	defer inUse()()
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	file := filepath.Join(root, marker)
	held, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Empty, it was broken off before anything else was written.
	if text := strings.TrimSpace(string(held)); err == nil && text != "" {
		if text == id {
			fmt.Println("resumed")
			return nil
		}
		return exitError{exitHalf, errors.New("the volume is half filled by a restore of another snapshot")}
	}
	for _, entry := range entries {
		if entry.Name() != lostAndFound && entry.Name() != marker {
			return exitError{exitNotEmpty, fmt.Errorf("the volume is not empty: it holds %q", entry.Name())}
		}
	}
	made, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := made.WriteString(id + "\n"); err != nil {
		made.Close()
		return err
	}
	if err := errors.Join(made.Sync(), made.Close()); err != nil {
		return err
	}
	fmt.Println("empty")
	return nil
}

// whole fails for a volume that a restore has begun to fill, so that half of it is never saved as if it were all.
func whole(root string) error {
	_, err := os.Lstat(filepath.Join(root, marker))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return exitError{exitHalf, errors.New("the volume is half filled by a restore that did not end")}
}

// finish makes a restored volume count: everything is on the disk before the marker goes.
func finish(root string) error {
	defer inUse()()
	folder, err := os.Open(root)
	if err != nil {
		return err
	}
	defer folder.Close()
	info, err := folder.Stat()
	if err != nil {
		return err
	}
	if err := unix.Syncfs(int(folder.Fd())); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(root, marker)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// The root is as it was restored; who may not set its time has not restored it either.
	_ = os.Chtimes(root, info.ModTime(), info.ModTime())
	return folder.Sync()
}
