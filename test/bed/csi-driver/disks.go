package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	smallest = 16 << 20
	// Who writes to a frozen filesystem waits, and cannot even be killed.
	longestFreeze = 20 * time.Second
)

// disks are image files, and what is mounted of them. It keeps nothing in memory but locks.
type disks struct {
	dir   string
	locks sync.Map
}

func (d *disks) folder(name string) string { return filepath.Join(d.dir, name) }
func (d *disks) volume(id string) string   { return filepath.Join(d.dir, "volumes", id+".img") }
func (d *disks) snapshot(id string) string { return filepath.Join(d.dir, "snapshots", id+".img") }

// lock lets one RPC at a time work on an image. The answer releases it.
func (d *disks) lock(id string) func() {
	value, _ := d.locks.LoadOrStore(id, &sync.Mutex{})
	mutex := value.(*sync.Mutex)
	mutex.Lock()
	return mutex.Unlock
}

// complete makes an image under another name first, so that one that is there is whole.
func complete(image string, fill func(partial string) error) error {
	partial := image + ".partial"
	err := fill(partial)
	if err == nil {
		err = os.Rename(partial, image)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(partial))
	}
	return nil
}

// format makes an empty image; the file takes no more room than what is written to it.
func format(ctx context.Context, image string, size int64) error {
	return complete(image, func(partial string) error {
		if err := resize(partial, size); err != nil {
			return err
		}
		return run(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", partial)
	})
}

// copyImage copies an image into one that may be larger; its filesystem grows when it is mounted.
func copyImage(ctx context.Context, from, to string, size int64) error {
	return complete(to, func(partial string) error {
		if err := run(ctx, "cp", "--sparse=always", "--reflink=auto", from, partial); err != nil {
			return err
		}
		return resize(partial, size)
	})
}

func resize(image string, size int64) error {
	file, err := os.OpenFile(image, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Close())
}

func sizeOf(image string) (int64, error) {
	info, err := os.Stat(image)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// copyFrozen copies a volume's image at one moment: nothing is written while it is copied, and all that was written
// before is in it. The moment is the time of the copy.
func (d *disks) copyFrozen(ctx context.Context, id, to string, size int64) (err error) {
	from := d.volume(id)
	mounted, err := mountOf(from)
	if err != nil {
		return err
	}
	moment := time.Now()
	if mounted != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, longestFreeze)
		defer cancel()
		// Neither is cut short: a freeze that is killed may have frozen.
		defer func() { err = errors.Join(err, thaw(mounted.point)) }()
		if err := run(context.Background(), "fsfreeze", "-f", mounted.point); err != nil {
			return err
		}
		moment = time.Now()
	}
	if err := copyImage(ctx, from, to, size); err != nil {
		return err
	}
	return os.Chtimes(to, moment, moment)
}

func thaw(point string) error {
	err := run(context.Background(), "fsfreeze", "-u", point)
	// What was never frozen cannot be thawed.
	if err != nil && strings.Contains(err.Error(), "Invalid argument") {
		return nil
	}
	return err
}

type mounted struct {
	device string
	point  string
}

// mountOf finds where an image is mounted, from what the kernel says; nil when it is not.
func mountOf(image string) (*mounted, error) {
	var found *mounted
	err := eachMount(func(number, point, source string) {
		file, err := os.ReadFile(filepath.Join("/sys/dev/block", number, "loop/backing_file"))
		if found == nil && err == nil && strings.TrimSpace(string(file)) == image {
			found = &mounted{device: source, point: point}
		}
	})
	return found, err
}

func isMounted(target string) (bool, error) {
	is := false
	err := eachMount(func(_, point, _ string) { is = is || point == target })
	return is, err
}

func eachMount(visit func(number, point, source string)) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		place, origin, _ := strings.Cut(line, " - ")
		fields, sources := strings.Fields(place), strings.Fields(origin)
		if len(fields) < 5 || len(sources) < 2 {
			return fmt.Errorf("a line of mountinfo cannot be read: %s", line)
		}
		visit(fields[2], fields[4], sources[1])
	}
	return nil
}

// unmount is no error where nothing is mounted; the folder goes with the mount.
func unmount(ctx context.Context, target string) error {
	is, err := isMounted(target)
	if err != nil {
		return err
	}
	if is {
		if err := run(ctx, "umount", target); err != nil {
			return err
		}
	}
	if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func run(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(output)))
	}
	return nil
}
