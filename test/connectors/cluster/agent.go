// A SPIFFE agent by other people's code: Google's gRPC server speaks the Workload API with the messages and the
// security header of the SPIFFE project's Go library, which also checks that the SVID it hands out is one.
//
//	agent SOCKET ID CHAIN.pem KEY.pem BUNDLE.pem
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type agent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	answer *workload.X509SVIDResponse
}

func (a *agent) FetchX509SVID(_ *workload.X509SVIDRequest, stream workload.SpiffeWorkloadAPI_FetchX509SVIDServer) error {
	header, _ := metadata.FromIncomingContext(stream.Context())
	if got := header.Get("workload.spiffe.io"); len(got) != 1 || got[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	if err := stream.Send(a.answer); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func blocks(file string) []byte {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	var ders []byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes...)
	}
	return ders
}

func main() {
	id, err := spiffeid.FromString(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	svid, err := x509svid.ParseRaw(blocks(os.Args[3]), blocks(os.Args[4]))
	if err != nil {
		log.Fatal(err)
	}
	authorities, err := x509.ParseCertificates(blocks(os.Args[5]))
	if err != nil {
		log.Fatal(err)
	}
	bundle := x509bundle.FromX509Authorities(id.TrustDomain(), authorities)
	if verified, _, err := x509svid.Verify(svid.Certificates, bundle); err != nil || verified != id {
		log.Fatal("not an SVID of ", id, ": ", err)
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, &agent{answer: &workload.X509SVIDResponse{
		Svids: []*workload.X509SVID{{
			SpiffeId: id.String(), X509Svid: blocks(os.Args[3]), X509SvidKey: blocks(os.Args[4]), Bundle: blocks(os.Args[5]),
		}},
	}})
	fmt.Println("agent ready")
	log.Fatal(server.Serve(listener))
}
