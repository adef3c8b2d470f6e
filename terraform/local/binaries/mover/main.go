// Command pra-mover runs beside restic in the pod that mounts a volume. It has no configuration and no credentials of its
// own: everything that a run needs comes on its stdin, and nothing of it is kept.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

const usage = `usage: pra-mover wait IDLE             keeps the pod there until nothing has used it for so long
       pra-mover run                   reads a request, one line of JSON, and runs restic
       pra-mover prepare ROOT ID       takes an empty volume for a restore
       pra-mover whole ROOT            fails for a volume that is half filled by a restore
       pra-mover finish ROOT           what was restored is whole, and on the disk
       pra-mover manifest ROOT [SINCE] lists everything in a volume with its digest
       pra-mover now                   what the clock of this node says, in nanoseconds
       pra-mover reach HOST:PORT       whether a connection can be made`

// Exit codes that the caller tells apart.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotEmpty = 4
	exitHalf     = 5
)

// done is said by every command that did all that it should: a container that is killed may make the exit code of what ran
// in it be told as 0.
const done = "pra-mover: done"

type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }

func main() {
	if err := command(os.Args[1:]); err != nil {
		code := exitFailed
		var exit exitError
		if errors.As(err, &exit) {
			code = exit.code
		}
		if text := err.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "pra-mover: "+text)
		}
		os.Exit(code)
	}
	if len(os.Args) > 1 && os.Args[1] != "bridge" {
		fmt.Fprintln(os.Stderr, done)
	}
}

func command(args []string) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch {
	case name == "wait" && len(args) == 2:
		idle, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		return wait(idle)
	case name == "run" && len(args) == 1:
		return run(os.Stdin)
	case name == "bridge":
		return bridge()
	case name == "prepare" && len(args) == 3:
		return prepare(args[1], args[2])
	case name == "whole" && len(args) == 2:
		return whole(args[1])
	case name == "finish" && len(args) == 2:
		return finish(args[1])
	case name == "now" && len(args) == 1:
		fmt.Println(time.Now().UnixNano())
		return nil
	case name == "manifest" && (len(args) == 2 || len(args) == 3):
		defer inUseWhile(listed.Load)()
		since := int64(0)
		if len(args) == 3 {
			var err error
			if since, err = strconv.ParseInt(args[2], 10, 64); err != nil {
				return err
			}
		}
		return manifest(args[1], since, os.Stdout)
	case name == "reach" && len(args) == 2:
		return reach(args[1])
	}
	return exitError{exitUsage, errors.New(usage)}
}
