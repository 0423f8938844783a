package realclients

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hark/conformance/internal/process"
)

func TestNode(t *testing.T)        { runNode(t, "exchange.mjs") }
func TestNodeUsers(t *testing.T)   { runNode(t, "users.mjs") }
func TestNodeControl(t *testing.T) { runNode(t, "control.mjs") }

func runNode(t *testing.T, script string) {
	t.Helper()
	node := process.Find(t, "nodejs", "node")
	process.NodeModule(t, "pusher-js/package.json")
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// A client that the server has closed keeps a timer of its websocket library for 30 s.
	out, err := exec.CommandContext(ctx, node, "--test-force-exit", filepath.Join("..", "js", script), s.pusherURL).CombinedOutput()
	if err != nil {
		t.Errorf("node %s: %v\n%s", script, err, out)
	}
}
