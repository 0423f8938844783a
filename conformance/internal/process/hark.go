package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"sync"
	"testing"

	"hark/conformance/internal/inputs"
)

// Main runs the tests of a package, and removes what Hark has built for them. Call it in TestMain.
func Main(m *testing.M) (code int) {
	code = m.Run()
	_ = os.RemoveAll(binaryDir)
	return code
}

// binaryDir is where the server's binary is; "": it has not been built.
var binaryDir string

// Hark returns the path of the server's binary. It is built once, with the race detector if the tests run with it.
func Hark(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var binary = sync.OnceValues(func() (path string, err error) {
	if err := inputs.Below(filepath.Join("..", "..")); err != nil {
		return "", err
	}
	if binaryDir, err = os.MkdirTemp("", "hark-"); err != nil {
		return "", err
	}
	path = filepath.Join(binaryDir, "hark")
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

var listening = regexp.MustCompile(`msg=listening address=(\S+) `)

// Serve runs hark serve with these arguments, as [Start] does, and waits until it listens; host is where, with the port.
// The test fails if the server does not end well.
func Serve(t testing.TB, variables []string, args ...string) (p *Process, host string) {
	t.Helper()
	p, host = Start(t, listening, variables, Hark(t), append([]string{"serve"}, args...)...)
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("hark serve ended with %v", err)
		}
	})
	return p, host
}
