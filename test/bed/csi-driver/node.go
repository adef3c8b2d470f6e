package main

import (
	"context"
	"os"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// node mounts an image once, where the kubelet stages it, and from there into each pod.
type node struct {
	csi.UnimplementedNodeServer
	disks *disks
	name  string
}

func (n *node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.name, AccessibleTopology: topology(n.name)}, nil
}

func (n *node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	stage := &csi.NodeServiceCapability_RPC{Type: csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME}
	return &csi.NodeGetCapabilitiesResponse{
		Capabilities: []*csi.NodeServiceCapability{{Type: &csi.NodeServiceCapability_Rpc{Rpc: stage}}},
	}, nil
}

// NodeStageVolume mounts for reading and writing whatever the pods may do: only so ext4 can replay its journal.
func (n *node) NodeStageVolume(ctx context.Context, request *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	defer n.disks.lock(request.VolumeId)()
	if err := checkCapability(request.VolumeCapability); err != nil {
		return nil, err
	}
	image, target := n.disks.volume(request.VolumeId), request.StagingTargetPath
	if _, err := sizeOf(image); err != nil {
		return nil, err
	}
	if is, err := isMounted(target); is || err != nil {
		return &csi.NodeStageVolumeResponse{}, err
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	// The loop device goes with the last mount of it, and what is deleted in the filesystem takes no room in the image.
	options := append([]string{"loop", "discard"}, request.VolumeCapability.GetMount().GetMountFlags()...)
	if err := run(ctx, "mount", "-t", "ext4", "-o", strings.Join(options, ","), image, target); err != nil {
		return nil, err
	}
	mounted, err := mountOf(image)
	if err != nil || mounted == nil {
		return nil, status.Errorf(codes.Internal, "the mount of %s is not to be found: %v", image, err)
	}
	// It may be the copy of a smaller one.
	return &csi.NodeStageVolumeResponse{}, run(ctx, "resize2fs", mounted.device)
}

func (n *node) NodeUnstageVolume(ctx context.Context, request *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	defer n.disks.lock(request.VolumeId)()
	return &csi.NodeUnstageVolumeResponse{}, unmount(ctx, request.StagingTargetPath)
}

func (n *node) NodePublishVolume(ctx context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	defer n.disks.lock(request.VolumeId)()
	if err := checkCapability(request.VolumeCapability); err != nil {
		return nil, err
	}
	target := request.TargetPath
	if is, err := isMounted(target); is || err != nil {
		return &csi.NodePublishVolumeResponse{}, err
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	if err := run(ctx, "mount", "--bind", request.StagingTargetPath, target); err != nil {
		return nil, err
	}
	if !request.Readonly {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := run(ctx, "mount", "-o", "remount,bind,ro", target); err != nil {
		_ = unmount(context.Background(), target)
		return nil, err
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (n *node) NodeUnpublishVolume(ctx context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	defer n.disks.lock(request.VolumeId)()
	return &csi.NodeUnpublishVolumeResponse{}, unmount(ctx, request.TargetPath)
}

func topology(nodeName string) *csi.Topology {
	return &csi.Topology{Segments: map[string]string{topologyKey: nodeName}}
}

// checkCapability refuses what an image of one node cannot be.
func checkCapability(capability *csi.VolumeCapability) error {
	mount := capability.GetMount()
	if mount == nil {
		return status.Error(codes.InvalidArgument, "only volumes with a filesystem can be made")
	}
	if fs := mount.FsType; fs != "" && fs != "ext4" {
		return status.Errorf(codes.InvalidArgument, "the filesystem is ext4, not %s", fs)
	}
	switch mode := capability.GetAccessMode().GetMode(); mode {
	case csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER, csi.VolumeCapability_AccessMode_MULTI_NODE_SINGLE_WRITER:
		return status.Errorf(codes.InvalidArgument, "%s is not possible on one node", mode)
	}
	return nil
}
