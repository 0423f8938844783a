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
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"

	"hark/conformance/internal/inputs"
)

// binaryDir is where the server's binary goes; set by TestMain.
var binaryDir string

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // most of the time scenarios wait
	dir, err := os.MkdirTemp("", "hark-scenarios-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaryDir = dir
	code := m.Run()
	if *table {
		printTable(os.Stdout)
	}
	if started != nil {
		if err := started.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "scenario.mjs:", err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary builds the server once, with the race detector if these tests run with it.
var binary = sync.OnceValues(func() (string, error) {
	if err := inputs.Below(filepath.Join("..", "..")); err != nil {
		return "", err
	}
	path := filepath.Join(binaryDir, "hark")
	args := []string{"build", "-pgo=off", "-o", path} // by the profile it would take a minute
	if raceEnabled() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "hark/cmd/hark")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build hark/cmd/hark: %w\n%s", err, out)
	}
	return path, nil
})

func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

var (
	started *node // set by theNode
	// theNode is started by the first scenario that needs it, and stopped by TestMain.
	theNode = sync.OnceValues(func() (*node, error) {
		var err error
		started, err = startNode()
		return started, err
	})
)

func mustNode(t *testing.T) *node {
	t.Helper()
	n, err := theNode()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// errEnded is why a program takes no more requests.
var errEnded = errors.New("scenario.mjs has ended")
