package realclients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// nodeModule returns a file of an npm package, or fails with how to install it.
func nodeModule(t *testing.T, file string) string {
	t.Helper()
	path := filepath.Join("..", "js", "node_modules", filepath.FromSlash(file))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; install it with: cd conformance/js && npm ci (make setup does)", err)
	}
	return path
}

func TestNode(t *testing.T)        { runNode(t, "exchange.mjs") }
func TestNodeUsers(t *testing.T)   { runNode(t, "users.mjs") }
func TestNodeControl(t *testing.T) { runNode(t, "control.mjs") }

func runNode(t *testing.T, script string) {
	t.Helper()
	node := program(t, "nodejs", "node")
	nodeModule(t, "pusher-js/package.json")
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// A client that the server has closed keeps a timer of its websocket library for 30 s.
	out, err := exec.CommandContext(ctx, node, "--test-force-exit", filepath.Join("..", "js", script), s.pusherURL).CombinedOutput()
	if err != nil {
		t.Errorf("node %s: %v\n%s", script, err, out)
	}
}
