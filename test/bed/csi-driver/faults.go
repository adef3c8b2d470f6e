package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faults are files named like RPCs; while one is there, its RPC goes wrong. The file says how:
//
//	UNAVAILABLE the array does not answer   it fails with this code and message
//	HANG                                    it does nothing until the file is gone
//	PENDING                                 CreateSnapshot and ListSnapshots: the snapshot is not ready to use
type faults struct {
	dir string
}

func (f *faults) read(rpc string) (word, message string) {
	text, err := os.ReadFile(filepath.Join(f.dir, rpc))
	if err != nil {
		return "", ""
	}
	word, message, _ = strings.Cut(strings.TrimSpace(string(text)), " ")
	return word, message
}

func (f *faults) pending(rpc string) bool {
	word, _ := f.read(rpc)
	return word == "PENDING"
}

// intercept applies the fault of an RPC, and logs all that change something.
func (f *faults) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	rpc := path.Base(info.FullMethod)
	begun := time.Now()
	err := f.apply(ctx, rpc)
	var response any
	if err == nil {
		response, err = handle(ctx, request)
	}
	err = asStatus(err)
	if !strings.HasPrefix(rpc, "Get") && rpc != "Probe" && !strings.HasSuffix(rpc, "Capabilities") {
		log.Printf("%s %v in %s: %v", rpc, request, time.Since(begun).Round(time.Millisecond), err)
	}
	return response, err
}

func (f *faults) apply(ctx context.Context, rpc string) error {
	word, message := f.read(rpc)
	switch word {
	case "", "PENDING":
		return nil
	case "HANG":
		for word == "HANG" {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
				word, _ = f.read(rpc)
			}
		}
		return nil
	}
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(`"` + word + `"`)); err != nil {
		return fmt.Errorf("the fault of %s: %w", rpc, err)
	}
	return status.Error(code, message)
}

// asStatus gives an error of the system the code by which whoever calls knows whether to try again.
func asStatus(err error) error {
	if err == nil || status.Code(err) != codes.Unknown {
		return err
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Internal, err.Error())
}
