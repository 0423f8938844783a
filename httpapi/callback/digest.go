package callback

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// A digest stands for a question, or a part of one, where equal ones are looked for. It keeps credentials out of memory.
type digest [sha256.Size]byte

// digestOf returns the digest of a sequence of texts: ("a", "bc") has another one than ("ab", "c").
func digestOf(parts ...string) digest {
	h := sha256.New()
	for _, s := range parts {
		add(h, s)
	}
	return digest(h.Sum(nil))
}

func digestHeader(header http.Header) digest {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(header)) {
		add(h, name)
		add(h, strconv.Itoa(len(header[name])))
		for _, value := range header[name] {
			add(h, value)
		}
	}
	return digest(h.Sum(nil))
}

// add never fails: a hash takes everything.
func add(h hash.Hash, s string) {
	h.Write(binary.AppendUvarint(nil, uint64(len(s))))
	h.Write([]byte(s))
}
