// Checks logs, proofs and keys with the Go checksum database's own packages and those of transparency.dev.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type files struct{ directory string }

func (f files) Height() int                     { return 8 }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		// tlog writes tile/8/<L>/…; tlog-tiles leaves the height out.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.directory, path))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func text(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	return data
}

func open(data []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(data, note.VerifierList(verifier))
	check(err)
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(opened.Text, "\n", 2)[1]))
	check(err)
	return tree
}

// argv: directory of a log, an older checkpoint of it, a proof, the record it proves.
func main() {
	directory := os.Args[1]
	verifier, err := note.NewVerifier(strings.TrimSpace(string(text(filepath.Join(directory, "log.vkey")))))
	check(err)
	tree := open(text(filepath.Join(directory, "checkpoint")), verifier)
	reader := tlog.TileHashReader(tree, files{directory})

	older := open(text(os.Args[2]), verifier)
	consistency, err := tlog.ProveTree(tree.N, older.N, reader)
	check(err)
	check(tlog.CheckTree(consistency, tree.N, tree.Hash, older.N, older.Hash))

	var given proof.TLogProof
	check(given.Unmarshal(text(os.Args[3])))
	under := open(given.Checkpoint, verifier)
	var hashes tlog.RecordProof
	for _, hash := range given.Hashes {
		hashes = append(hashes, tlog.Hash(hash))
	}
	leaf := tlog.RecordHash(bytes.TrimSuffix(text(os.Args[4]), []byte("\n")))
	check(tlog.CheckRecord(hashes, under.N, under.Hash, int64(given.Index), leaf))

	for index := int64(0); index < tree.N; index++ {
		record, err := tlog.ProveRecord(tree.N, index, reader)
		check(err)
		stored, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		check(tlog.CheckRecord(record, tree.N, tree.Hash, index, stored[0]))
	}
	fmt.Printf("%d leaves, consistent with %d, leaf %d proved\n", tree.N, older.N, given.Index)
}
