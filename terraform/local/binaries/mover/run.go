package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// request is what one run of restic needs. It comes on stdin because arguments and the pod's own environment can be read
// by others.
type request struct {
	// Args of restic.
	Args []string `json:"args"`
	// Env is all that restic gets, besides TMPDIR.
	Env map[string]string `json:"env"`
	// Dir in which restic runs.
	Dir string `json:"dir"`
	// CA, in PEM, of the store.
	CA string `json:"ca"`
	// Stream: restic's repository is at the other end of stdin and stdout.
	Stream bool `json:"stream"`
}

const maxRequest = 1 << 20

// run runs restic. What restic says on stdout goes to stderr, since stdout may carry the repository. When stdin ends, whoever
// asked is gone, and restic is ended.
func run(stdin *os.File) error {
	wanted, err := readRequest(stdin)
	if err != nil {
		return err
	}
	defer inUse()()
	// The kernel ends a child when the thread that started it ends.
	runtime.LockOSThread()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := wanted.Args
	if wanted.CA != "" {
		file := filepath.Join(os.TempDir(), "ca.pem")
		if err := os.WriteFile(file, []byte(wanted.CA), 0o600); err != nil {
			return err
		}
		args = append([]string{"--cacert", file}, args...)
	}
	if wanted.Stream {
		args = append([]string{"-o", "rclone.program=" + self, "-o", "rclone.args=bridge", "-o", "rclone.timeout=5m"}, args...)
	}
	restic := exec.Command(filepath.Join(filepath.Dir(self), "restic"), args...)
	restic.Dir = wanted.Dir
	restic.Env = []string{"TMPDIR=" + os.TempDir(), "HOME=" + os.TempDir()}
	for name, value := range wanted.Env {
		restic.Env = append(restic.Env, name+"="+value)
	}
	restic.Stdout = os.Stderr
	restic.Stderr = os.Stderr
	restic.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if wanted.Stream {
		// 3 and 4 in restic, and so in the bridge that restic starts.
		restic.ExtraFiles = []*os.File{stdin, os.Stdout}
	}
	if err := restic.Start(); err != nil {
		return err
	}
	if !wanted.Stream {
		go func() {
			io.Copy(io.Discard, stdin)
			restic.Process.Kill()
		}()
	}
	err = restic.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exitError{exit.ExitCode(), errors.New("")}
	}
	if err != nil {
		return fmt.Errorf("restic: %w", err)
	}
	return nil
}

// readRequest reads one line and not a byte more: what follows may be the repository.
func readRequest(stdin io.Reader) (request, error) {
	var wanted request
	line := make([]byte, 0, 4096)
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(stdin, one); err != nil {
			return wanted, errors.New("no request came")
		}
		if one[0] == '\n' {
			break
		}
		if line = append(line, one[0]); len(line) > maxRequest {
			return wanted, errors.New("the request is too long")
		}
	}
	if json.Unmarshal(line, &wanted) != nil {
		// Not with the text: it holds secrets.
		return wanted, errors.New("the request is not JSON")
	}
	return wanted, nil
}

// bridge is what restic takes for rclone: it passes on what restic says to the descriptors that restic was started with.
func bridge() error {
	in, out := os.NewFile(3, "in"), os.NewFile(4, "out")
	go func() {
		io.Copy(os.Stdout, in)
		os.Exit(0)
	}()
	_, err := io.Copy(out, os.Stdin)
	return err
}
