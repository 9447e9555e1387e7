// The API server of Kubernetes and the store behind it, each as the project itself starts it, from their Go modules.
//
//	kubernetes etcd DIRECTORY CLIENT_URL PEER_URL
//	kubernetes apiserver FLAGS...
package main

import (
	"log"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	command := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	if command == "apiserver" {
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	}
	config := embed.NewConfig()
	config.Dir = os.Args[1]
	config.LogLevel = "error"
	config.ListenClientUrls = []url.URL{at(os.Args[2])}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{at(os.Args[3])}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		log.Fatal(err)
	}
	<-server.Server.ReadyNotify()
	log.Print("etcd ready")
	log.Fatal(<-server.Err())
}

func at(text string) url.URL {
	parsed, err := url.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	return *parsed
}
