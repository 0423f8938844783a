package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Find returns the path of the first of these programs that is there, or fails with what to install.
func Find(t testing.TB, debianPackage string, names ...string) string {
	t.Helper()
	var failed error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return path
		}
		failed = errors.Join(failed, err)
	}
	t.Fatalf("%v; install it with: apt-get install %s (make setup does)", failed, debianPackage)
	return ""
}

// NodeModule returns the path of a file of an npm package, or fails with how to install it.
func NodeModule(t testing.TB, file string) string {
	t.Helper()
	path := filepath.Join("..", "js", "node_modules", filepath.FromSlash(file))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; install it with: cd conformance/js && npm ci (make setup does)", err)
	}
	return path
}
