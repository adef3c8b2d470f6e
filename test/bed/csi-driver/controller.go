package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// controller makes images. The name of one says all that is to be known of it: a volume's id is the name that was asked
// for, a snapshot's is VOLUME@NAME, so that asking twice makes one.
type controller struct {
	csi.UnimplementedControllerServer
	disks    *disks
	faults   *faults
	nodeName string
}

func (c *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, rpc := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	} {
		response.Capabilities = append(response.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: rpc}},
		})
	}
	return response, nil
}

func (c *controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if _, err := sizeOf(c.disks.volume(request.VolumeId)); err != nil {
		return nil, err
	}
	for _, capability := range request.VolumeCapabilities {
		if err := checkCapability(capability); err != nil {
			return &csi.ValidateVolumeCapabilitiesResponse{Message: err.Error()}, nil
		}
	}
	confirmed := &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: request.VolumeCapabilities}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: confirmed}, nil
}

// CreateVolume makes an empty volume, or a copy of a snapshot or of another volume.
func (c *controller) CreateVolume(ctx context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if err := checkName(request.Name); err != nil {
		return nil, err
	}
	for _, capability := range request.VolumeCapabilities {
		if err := checkCapability(capability); err != nil {
			return nil, err
		}
	}
	defer c.disks.lock(request.Name)()
	size := max(request.CapacityRange.GetRequiredBytes(), smallest)
	if limit := request.CapacityRange.GetLimitBytes(); limit != 0 && limit < size {
		return nil, status.Errorf(codes.OutOfRange, "%d bytes are more than the limit of %d", size, limit)
	}
	volume := &csi.Volume{
		VolumeId:           request.Name,
		CapacityBytes:      size,
		ContentSource:      request.VolumeContentSource,
		AccessibleTopology: []*csi.Topology{topology(c.nodeName)},
	}
	image := c.disks.volume(request.Name)
	if there, err := sizeOf(image); err == nil {
		if there != size {
			return nil, status.Errorf(codes.AlreadyExists, "%s has %d bytes, not %d", request.Name, there, size)
		}
		return &csi.CreateVolumeResponse{Volume: volume}, nil
	}
	if err := c.fill(ctx, image, size, request.VolumeContentSource); err != nil {
		return nil, err
	}
	return &csi.CreateVolumeResponse{Volume: volume}, nil
}

func (c *controller) fill(ctx context.Context, image string, size int64, source *csi.VolumeContentSource) error {
	if source == nil {
		return format(ctx, image, size)
	}
	id := source.GetVolume().GetVolumeId()
	original := c.disks.volume(id)
	if snapshot := source.GetSnapshot(); snapshot != nil {
		id, original = snapshot.SnapshotId, c.disks.snapshot(snapshot.SnapshotId)
	}
	defer c.disks.lock(id)()
	least, err := sizeOf(original)
	if err != nil {
		return err
	}
	if size < least {
		return status.Errorf(codes.OutOfRange, "%d bytes are less than the %d of %s", size, least, id)
	}
	if source.GetSnapshot() != nil {
		return copyImage(ctx, original, image, size)
	}
	return c.disks.copyFrozen(ctx, id, image, size)
}

func (c *controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	defer c.disks.lock(request.VolumeId)()
	image := c.disks.volume(request.VolumeId)
	mounted, err := mountOf(image)
	if err != nil {
		return nil, err
	}
	if mounted != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "%s is mounted", request.VolumeId)
	}
	return &csi.DeleteVolumeResponse{}, remove(image)
}

func (c *controller) CreateSnapshot(ctx context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if err := checkName(request.Name); err != nil {
		return nil, err
	}
	volume := request.SourceVolumeId
	defer c.disks.lock(volume)()
	id := volume + "@" + request.Name
	there, err := c.find("*@" + request.Name)
	if err != nil {
		return nil, err
	}
	if len(there) > 0 && !slices.Contains(there, id) {
		return nil, status.Errorf(codes.AlreadyExists, "%s is of another volume", there[0])
	}
	if len(there) == 0 {
		size, err := sizeOf(c.disks.volume(volume))
		if err != nil {
			return nil, err
		}
		if err := c.disks.copyFrozen(ctx, volume, c.disks.snapshot(id), size); err != nil {
			return nil, err
		}
	}
	snapshot, err := c.describe(id)
	if err != nil {
		return nil, err
	}
	snapshot.ReadyToUse = !c.faults.pending("CreateSnapshot")
	return &csi.CreateSnapshotResponse{Snapshot: snapshot}, nil
}

func (c *controller) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	defer c.disks.lock(request.SnapshotId)()
	return &csi.DeleteSnapshotResponse{}, remove(c.disks.snapshot(request.SnapshotId))
}

// ListSnapshots is how a snapshot is found that somebody else made.
func (c *controller) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	ids, err := c.find("*@*")
	if err != nil {
		return nil, err
	}
	response := &csi.ListSnapshotsResponse{}
	for _, id := range ids {
		if request.SnapshotId != "" && request.SnapshotId != id {
			continue
		}
		snapshot, err := c.describe(id)
		if errors.Is(err, os.ErrNotExist) || (request.SourceVolumeId != "" && request.SourceVolumeId != snapshot.GetSourceVolumeId()) {
			continue
		}
		if err != nil {
			return nil, err
		}
		snapshot.ReadyToUse = !c.faults.pending("ListSnapshots")
		response.Entries = append(response.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: snapshot})
	}
	return response, nil
}

func (c *controller) describe(id string) (*csi.Snapshot, error) {
	info, err := os.Stat(c.disks.snapshot(id))
	if err != nil {
		return nil, err
	}
	volume, _, _ := strings.Cut(id, "@")
	return &csi.Snapshot{
		SnapshotId:     id,
		SourceVolumeId: volume,
		SizeBytes:      info.Size(),
		CreationTime:   timestamppb.New(info.ModTime()),
		ReadyToUse:     true,
	}, nil
}

// find gives the ids of the snapshots whose id matches a pattern.
func (c *controller) find(pattern string) ([]string, error) {
	files, err := filepath.Glob(c.disks.snapshot(pattern))
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".img")
	}
	return files, err
}

// checkName refuses what cannot be part of a file's name. Kubernetes asks for names such as pvc-UID.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, "/@*?[\\") {
		return status.Errorf(codes.InvalidArgument, "%q is not a name", name)
	}
	return nil
}

func remove(image string) error {
	if err := os.Remove(image); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
