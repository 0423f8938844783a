// Package scenarios plays what applications do with Hark, with the real pusher-js and the official server SDK: one file
// for each of five systems whose developers have had to build the like, adminforth_test.go to steedos_test.go.
//
// A scenario has a name like AF-2 and is played in one or more ways:
//
//	E   an application in Go that embeds Hark: application_test.go
//	S   hark serve as the program that it is, which calls back: standalone_test.go, callbacks_test.go
//	S2  two of it that share a Redis; clients are on one and backends ask the other, or clients are on both: nodes_test.go
//
// All clients live in one Node process, conformance/js/scenario.mjs, which tells everything that happens to them in order.
// What a client does not hear is shown by what it hears next: something that was sent later.
//
// make scenarios plays all of them and prints a table.
package scenarios

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"hark/conformance/internal/process"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // most of the time scenarios wait
	code := process.Main(m)
	if *table {
		printTable(os.Stdout)
	}
	if started != nil {
		if err := started.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "scenario.mjs:", err)
			code = 1
		}
	}
	os.Exit(code)
}

var (
	starting sync.Mutex
	started  *node // nil: not yet; guarded by starting
)

// theNode is started by the first scenario that needs it, and stopped by TestMain.
func theNode(t *testing.T) *node {
	t.Helper()
	starting.Lock()
	defer starting.Unlock()
	if started == nil {
		started = startNode(t)
	}
	return started
}

// errEnded is why a program takes no more requests.
var errEnded = errors.New("scenario.mjs has ended")
