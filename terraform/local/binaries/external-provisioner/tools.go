//go:build tools

// Package tools pins what pra builds when no released binary is at hand.
package tools

import (
	_ "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner"
)
