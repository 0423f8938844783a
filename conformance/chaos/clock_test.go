package chaos

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// skewVariable holds by how much the clock of a process is ahead. Only the program that skewed builds reads it.
const skewVariable = "HARK_CHAOS_SKEW"

// program returns the program of a process whose clock is ahead by skew.
func program(t testing.TB, skew time.Duration) string {
	t.Helper()
	if skew != 0 {
		return skewed.path(t)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// skewed is this test binary, but for the clock.
var skewed skewedProgram

// A skewedProgram is one whose wall clock is wrong, built of the same sources with another time.Now: what is measured by the
// monotonic clock stays right, as on a machine whose time was set wrong.
type skewedProgram struct {
	once sync.Once
	file string
	err  error
}

// path builds the program, once.
func (p *skewedProgram) path(t testing.TB) string {
	t.Helper()
	p.once.Do(func() { p.err = p.build() })
	if p.err != nil {
		t.Fatalf("a program with another clock cannot be built: %v", p.err)
	}
	return p.file
}

const (
	straightNow = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	skewedNow   = straightNow + "\tsec += skew\n"
	skewSource  = `
var skew = func() int64 {
	text, _ := syscall.Getenv(%q)
	d, _ := ParseDuration(text)
	return int64(d / Second)
}()
`
)

// build puts another time/time.go over that of the standard library. The program lies in a directory that main removes.
func (p *skewedProgram) build() error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	original := filepath.Join(string(bytes.TrimSpace(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	if strings.Count(string(source), straightNow) != 1 {
		return fmt.Errorf("%s has another Now than %q", original, straightNow)
	}
	dir, err := os.MkdirTemp("", "hark-clock")
	if err != nil {
		return err
	}
	p.file = filepath.Join(dir, "chaos.test")
	text := strings.Replace(string(source), straightNow, skewedNow, 1)
	text = strings.Replace(text, "import (\n", "import (\n\t\"syscall\"\n", 1) + fmt.Sprintf(skewSource, skewVariable)
	replacement, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{replacement: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	out, err := exec.Command("go", "test", "-c", "-pgo=off", "-overlay", overlay, "-o", p.file, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// remove removes the program, if it was built.
func (p *skewedProgram) remove() {
	if p.file != "" {
		_ = os.RemoveAll(filepath.Dir(p.file)) // it is in the directory for temporary files
	}
}

// clock returns by how much the clock of a process is ahead of this one, as its answers say.
func (n *process) clock() (time.Duration, error) {
	response, err := n.http.Get(n.url + "/up")
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close() // what it says does not matter
	there, err := http.ParseTime(response.Header.Get("Date"))
	return time.Until(there).Round(time.Minute), err
}
