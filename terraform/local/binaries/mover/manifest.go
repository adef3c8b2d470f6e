package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// entry is one line of a manifest. Names that are not UTF-8 are told in base64.
type entry struct {
	Path   string            `json:"path,omitempty"`
	Path64 string            `json:"path64,omitempty"`
	Type   string            `json:"type"`
	Mode   string            `json:"mode"`
	UID    uint32            `json:"uid"`
	GID    uint32            `json:"gid"`
	Size   int64             `json:"size,omitempty"`
	MTime  string            `json:"mtime,omitempty"`
	SHA256 string            `json:"sha256,omitempty"`
	Target string            `json:"target,omitempty"`
	Rdev   uint64            `json:"rdev,omitempty"`
	LinkTo string            `json:"linkTo,omitempty"`
	XAttrs map[string]string `json:"xattrs,omitempty"`
	// Unstable: it changed while it was read.
	Unstable bool `json:"unstable,omitempty"`
}

type job struct {
	entry entry
	full  string
	stat  syscall.Stat_t
	err   error
	ready chan struct{}
}

type inode struct{ dev, ino uint64 }

// listed changes as long as the list goes on.
var listed atomic.Int64

// counted is a reader whose reads change it.
type counted struct{ io.Reader }

func (c counted) Read(p []byte) (int, error) {
	listed.Add(1)
	return c.Reader.Read(p)
}

// manifest lists a tree in the order of its names, one line of JSON for each entry. Files are read by as many as there are
// processors; the order and the memory stay the same.
// What was written to since that moment, in nanoseconds, counts as unstable: it was saved before it was listed.
func manifest(root string, since int64, out io.Writer) error {
	queue := make(chan *job, 256)
	hashing := make(chan *job, 256)
	stop := make(chan struct{})
	defer close(stop)
	var walkErr error
	go func() {
		defer close(queue)
		defer close(hashing)
		walkErr = walk(root, since, stop, func(next *job) {
			queue <- next
			if next.entry.Type == "file" && next.entry.LinkTo == "" {
				hashing <- next
			} else {
				close(next.ready)
			}
		})
	}()
	for range max(1, runtime.GOMAXPROCS(0)) {
		go func() {
			buffer := make([]byte, 1<<20)
			for next := range hashing {
				next.err = digest(next, buffer)
				if since > 0 && errors.Is(next.err, os.ErrNotExist) {
					next.err, next.entry.Unstable = nil, true
				}
				close(next.ready)
			}
		}()
	}
	lines := bufio.NewWriterSize(out, 1<<16)
	encoder := json.NewEncoder(lines)
	encoder.SetEscapeHTML(false)
	entries := 0
	for next := range queue {
		<-next.ready
		if next.err != nil {
			return next.err
		}
		if err := encoder.Encode(next.entry); err != nil {
			return err
		}
		entries++
		listed.Add(1)
	}
	if walkErr != nil {
		return walkErr
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "pra-mover: listed %d entries\n", entries)
	return nil
}

func walk(root string, since int64, stop <-chan struct{}, visit func(*job)) error {
	seen := map[inode]string{}
	var below func(full, name string) error
	below = func(full, name string) error {
		select {
		case <-stop:
			return nil
		default:
		}
		next, err := describe(full, name, seen)
		if since > 0 && name != "." && errors.Is(err, os.ErrNotExist) {
			return nil // its folder has changed, and says so
		}
		if err != nil {
			return err
		}
		if next.entry.Type == "socket" {
			return nil // a program makes it anew, and restic does not keep it
		}
		var entries []os.DirEntry
		if next.entry.Type == "dir" {
			if entries, err = os.ReadDir(full); err != nil {
				return err
			}
			// What came or went between the two changed the folder.
			if err := syscall.Lstat(full, &next.stat); err != nil {
				return err
			}
		}
		// Nothing changes without its ctime; an mtime may be set to any day.
		if since > 0 && next.stat.Ctim.Nano() >= since {
			next.entry.Unstable = true
		}
		visit(next)
		sort.Slice(entries, func(a, b int) bool { return entries[a].Name() < entries[b].Name() })
		for _, child := range entries {
			if name == "." && (child.Name() == marker || child.Name() == lostAndFound) {
				continue
			}
			path := child.Name()
			if name != "." {
				path = name + "/" + path
			}
			if err := below(filepath.Join(full, child.Name()), path); err != nil {
				return err
			}
		}
		return nil
	}
	return below(root, ".")
}

func describe(full, name string, seen map[inode]string) (*job, error) {
	next := &job{full: full, ready: make(chan struct{})}
	if err := syscall.Lstat(full, &next.stat); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	stat, e := &next.stat, &next.entry
	if utf8.ValidString(name) {
		e.Path = name
	} else {
		e.Path64 = base64.StdEncoding.EncodeToString([]byte(name))
	}
	e.Mode = fmt.Sprintf("%04o", stat.Mode&0o7777)
	e.UID, e.GID = stat.Uid, stat.Gid
	if name != "." {
		e.MTime = time.Unix(stat.Mtim.Sec, stat.Mtim.Nsec).UTC().Format(time.RFC3339Nano)
	}
	switch stat.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		e.Type = "dir"
	case syscall.S_IFREG:
		e.Type, e.Size = "file", stat.Size
	case syscall.S_IFLNK:
		target, err := os.Readlink(full)
		if err != nil {
			return nil, err
		}
		e.Type, e.Target = "symlink", base64.StdEncoding.EncodeToString([]byte(target))
	case syscall.S_IFIFO:
		e.Type = "fifo"
	case syscall.S_IFSOCK:
		e.Type = "socket"
	case syscall.S_IFCHR:
		e.Type, e.Rdev = "chardev", uint64(stat.Rdev)
	case syscall.S_IFBLK:
		e.Type, e.Rdev = "blockdev", uint64(stat.Rdev)
	}
	// restic links nothing else: each other entry comes back for itself.
	if stat.Nlink > 1 && e.Type == "file" {
		id := inode{uint64(stat.Dev), stat.Ino}
		if first, known := seen[id]; known {
			e.LinkTo = base64.StdEncoding.EncodeToString([]byte(first))
		} else {
			seen[id] = name
		}
	}
	attributes, err := xattrs(full)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	e.XAttrs = attributes
	return next, nil
}

// digest reads a file, and looks whether it changed meanwhile.
func digest(next *job, buffer []byte) error {
	file, err := os.Open(next.full)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.CopyBuffer(struct{ io.Writer }{hash}, counted{file}, buffer)
	if err != nil {
		return err
	}
	var after syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &after); err != nil {
		return err
	}
	next.entry.SHA256 = hex.EncodeToString(hash.Sum(nil))
	next.entry.Unstable = next.entry.Unstable || size != next.stat.Size || after.Mtim != next.stat.Mtim || after.Ctim != next.stat.Ctim
	return nil
}

func xattrs(full string) (map[string]string, error) {
	size, err := unix.Llistxattr(full, nil)
	if err == unix.ENOTSUP || size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make([]byte, size)
	if size, err = unix.Llistxattr(full, names); err != nil {
		return nil, err
	}
	found := map[string]string{}
	start := 0
	for i := range size {
		if names[i] != 0 {
			continue
		}
		name := string(names[start:i])
		start = i + 1
		length, err := unix.Lgetxattr(full, name, nil)
		if err != nil {
			continue // some are only for root to read
		}
		value := make([]byte, length)
		if length, err = unix.Lgetxattr(full, name, value); err != nil {
			continue
		}
		found[name] = base64.StdEncoding.EncodeToString(value[:length])
	}
	return found, nil
}
