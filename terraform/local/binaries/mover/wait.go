package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// A file here is touched by whatever is at work; its age tells how long nobody was.
func heartbeat() string { return filepath.Join(os.TempDir(), "in-use") }

const beat = 5 * time.Second

// wait ends the pod when nobody has used it for so long: whoever started it may have been killed. It ends with an error,
// so that the Job has failed and is removed with all that it owns.
func wait(idle time.Duration) error {
	signal.Ignore(syscall.SIGCHLD) // orphans are reaped by the kernel
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	touch()
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(beat):
		}
		info, err := os.Stat(heartbeat())
		if err != nil {
			return err
		}
		if time.Since(info.ModTime()) > idle {
			return fmt.Errorf("nothing has used this pod for %s", idle)
		}
	}
}

// inUse keeps the pod there until the function that it returns is called.
func inUse() func() {
	ticks := int64(0)
	return inUseWhile(func() int64 { ticks++; return ticks })
}

// inUseWhile does so as long as what the given function tells changes: nobody may be there any more to whom a command talks,
// and it would wait for its reader.
func inUseWhile(moved func() int64) func() {
	touch()
	last := moved()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(beat):
				if now := moved(); now != last {
					last = now
					touch()
				}
			}
		}
	}()
	return func() { touch(); close(done) }
}

func touch() {
	now := time.Now()
	if os.Chtimes(heartbeat(), now, now) == nil {
		return
	}
	if file, err := os.OpenFile(heartbeat(), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		file.Close()
	}
}

func reach(address string) error {
	connection, err := net.DialTimeout("tcp", address, 3*time.Second)
	if err != nil {
		return err
	}
	return connection.Close()
}
