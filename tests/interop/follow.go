// Follows a log as any C2SP client does, with the Go project's own note and tlog packages and nothing of Lamppost's.
//
//	follow log URL VKEY STATE     reads the checkpoint, proves it consistent with the one kept in STATE, authenticates
//	                              every entry through tiles, and keeps the checkpoint in STATE
//	follow receipt FILE VKEY      verifies a tlog-proof
//
// Prints one line of JSON; ends with code 1 and a sentence at the first thing that does not hold.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Hashes of a full tile, and its height.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "follow:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 4 && arguments[0] == "log":
		return followLog(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 3 && arguments[0] == "receipt":
		return checkReceipt(arguments[1], arguments[2])
	}
	return errors.New("usage: follow log URL VKEY STATE | follow receipt FILE VKEY")
}

// openCheckpoint verifies a signed checkpoint. Its first line must be the key's name: that of a log with one signer.
func openCheckpoint(text []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	// tlog.ParseTree knows the checksum database's first line only; the two lines after it are the same.
	rest := strings.TrimPrefix(opened.Text, verifier.Name()+"\n")
	if rest == opened.Text {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is not of origin %s", verifier.Name())
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

func followLog(url, vkey, state string) error {
	log := &tiles{url: url}
	signed, err := log.get("/checkpoint", "text/plain; charset=utf-8")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(signed, vkey)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, log)
	earlier, err := checkGrowth(hashes, tree, state, vkey)
	if err != nil {
		return err
	}
	entries, err := checkEntries(log, hashes, tree)
	if err != nil {
		return err
	}
	if err := os.WriteFile(state, signed, 0o666); err != nil {
		return err
	}
	return say(map[string]any{
		"size": tree.N, "root": tree.Hash.String(), "consistent_with": earlier,
		"entries": entries, "tiles": log.fetched,
	})
}

// checkGrowth proves that the tree continues the one that was kept; 0 where none was.
func checkGrowth(hashes tlog.HashReader, tree tlog.Tree, state, vkey string) (int64, error) {
	kept, err := os.ReadFile(state)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	old, err := openCheckpoint(kept, vkey)
	if err != nil {
		return 0, err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return 0, err
	}
	return old.N, tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// checkEntries fetches every bundle and proves each of its entries to be in the tree; gives their hashes.
func checkEntries(log *tiles, hashes tlog.HashReader, tree tlog.Tree) ([]string, error) {
	var found []string
	for index := int64(0); index < tree.N; {
		bundle := tlog.Tile{H: tileHeight, L: 0, N: index / tileWidth, W: tileWidth}
		if left := tree.N - index; left < tileWidth {
			bundle.W = int(left)
		}
		path := strings.Replace(tilePath(bundle), "/tile/0/", "/tile/entries/", 1)
		data, err := log.get(path, "application/octet-stream")
		if err != nil {
			return nil, err
		}
		entries, err := unbundle(data)
		if err != nil || len(entries) != bundle.W {
			return nil, fmt.Errorf("%s holds %d entries, not %d", path, len(entries), bundle.W)
		}
		for _, entry := range entries {
			hash := tlog.RecordHash(entry)
			proof, err := tlog.ProveRecord(tree.N, index, hashes)
			if err != nil {
				return nil, err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, hash); err != nil {
				return nil, fmt.Errorf("entry %d: %w", index, err)
			}
			found = append(found, hash.String())
			index++
		}
	}
	return found, nil
}

func unbundle(data []byte) ([][]byte, error) {
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			return entries, io.ErrUnexpectedEOF
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			return entries, io.ErrUnexpectedEOF
		}
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	return entries, nil
}

// tiles reads a log's tiles over HTTP, believing nothing: TileHashReader authenticates them.
type tiles struct {
	url     string
	fetched []string
	known   map[tlog.Tile][]byte
}

func (log *tiles) Height() int { return tileHeight }

func (log *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, tile := range wanted {
		if known, is := log.known[tile]; is {
			data[i] = known
			continue
		}
		path := tilePath(tile)
		read, err := log.get(path, "application/octet-stream")
		if err != nil {
			return nil, err
		}
		if len(read) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes, not %d", path, len(read), tile.W*tlog.HashSize)
		}
		data[i] = read
		log.fetched = append(log.fetched, path)
	}
	return data, nil
}

func (log *tiles) SaveTiles(saved []tlog.Tile, data [][]byte) {
	if log.known == nil {
		log.known = map[tlog.Tile][]byte{}
	}
	for i, tile := range saved {
		log.known[tile] = data[i]
	}
}

// tilePath writes a tile as tlog-tiles has it: without the height that the checksum database's paths begin with.
func tilePath(tile tlog.Tile) string {
	return "/" + strings.Replace(tile.Path(), "tile/"+strconv.Itoa(tileHeight)+"/", "tile/", 1)
}

func (log *tiles) get(path, contentType string) ([]byte, error) {
	answer, err := http.Get(log.url + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", path, answer.Status)
	}
	if found := answer.Header.Get("Content-Type"); found != contentType {
		return nil, fmt.Errorf("GET %s: the content type is %q, not %q", path, found, contentType)
	}
	return io.ReadAll(answer.Body)
}

// checkReceipt verifies a tlog-proof: its lines, its checkpoint's signature, and the entry's path to the root.
func checkReceipt(file, vkey string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	proof, signed, found := bytes.Cut(text, []byte("\n\n"))
	if !found {
		return errors.New("the receipt has no checkpoint")
	}
	tree, err := openCheckpoint(signed, vkey)
	if err != nil {
		return err
	}
	lines := strings.Split(string(proof), "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("this is no tlog-proof")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		path = append(path, hash)
	}
	hash := tlog.RecordHash(entry)
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, hash); err != nil {
		return err
	}
	return say(map[string]any{
		"index": index, "size": tree.N, "hash": hash.String(), "hash_hex": hex.EncodeToString(hash[:]),
	})
}

func say(value map[string]any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
