// Command csi-driver is a small CSI driver for tests: it speaks the whole protocol, and its volumes are image files of
// one node, formatted with ext4 and mounted by loop devices. Its snapshots are atomic and consistent after a crash.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const (
	driverName  = "csi.pra.test"
	topologyKey = driverName + "/node"
)

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	dir := flag.String("dir", "", "folder that all images lie in")
	socket := flag.String("socket", "", "where it listens, in the folder where the kubelet looks for plugins")
	nodeName := flag.String("node", "", "name of the node")
	flag.Parse()
	if err := serve(*dir, *socket, *nodeName); err != nil {
		log.Fatal(err)
	}
}

// serve answers on one socket as a controller, as a node, and to the kubelet that registers it.
func serve(dir, socket, nodeName string) error {
	disks := &disks{dir: dir}
	for _, folder := range []string{disks.folder("volumes"), disks.folder("snapshots"), disks.folder("fault"), filepath.Dir(socket)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	// One that was killed left its socket.
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	faults := &faults{dir: disks.folder("fault")}
	// Whoever stops it waits for what is being done, or a filesystem could stay frozen.
	server := grpc.NewServer(grpc.UnaryInterceptor(faults.intercept), grpc.WaitForHandlers(true))
	registration.RegisterRegistrationServer(server, &registrar{socket: socket})
	csi.RegisterIdentityServer(server, &identity{})
	csi.RegisterControllerServer(server, &controller{disks: disks, faults: faults, nodeName: nodeName})
	csi.RegisterNodeServer(server, &node{disks: disks, name: nodeName})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		server.Stop()
	}()
	return server.Serve(listener)
}

// registrar tells the kubelet where the driver is, as node-driver-registrar does elsewhere.
type registrar struct {
	registration.UnimplementedRegistrationServer
	socket string
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              driverName,
		Endpoint:          r.socket,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	log.Printf("registered: %v %s", status.PluginRegistered, strings.TrimSpace(status.Error))
	return &registration.RegistrationStatusResponse{}, nil
}

type identity struct {
	csi.UnimplementedIdentityServer
}

func (*identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driverName, VendorVersion: "1"}, nil
}

func (*identity) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	response := &csi.GetPluginCapabilitiesResponse{}
	for _, service := range []csi.PluginCapability_Service_Type{
		csi.PluginCapability_Service_CONTROLLER_SERVICE,
		csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS,
	} {
		response.Capabilities = append(response.Capabilities, &csi.PluginCapability{
			Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: service}},
		})
	}
	return response, nil
}

func (*identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}
