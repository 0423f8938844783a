package realclients

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hark/conformance/internal/process"
)

// The configuration with which the README says how to run it for real is one that a server starts with.
func TestReadmeConfiguration(t *testing.T) {
	_, file := readme(t, "## Running it for real")
	process.Serve(t, nil, "-c", file, "--listen", "127.0.0.1:0")
}

// That of its policies says what the README says of it. No server is started: it would ask for the keys of its tokens.
func TestReadmePolicies(t *testing.T) {
	section, file := readme(t, "## Who may join what")
	m := regexp.MustCompile("`hark policy test (\\S+) --as '([^']+)' -c hark.yaml`").FindStringSubmatch(section)
	if m == nil {
		t.Fatal("the README tests no policy")
	}
	cmd := process.Command([]string{"APP_SECRET=of-the-app"}, process.Hark(t), "policy", "test", m[1], "--as", m[2], "-c", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// readme returns a section of the README, and a file with the configuration that it shows.
func readme(t *testing.T, title string) (section, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ = strings.Cut(string(text), "\n"+title+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, after, found := strings.Cut(section, "```yaml\n")
	config, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("the section %q of the README shows no configuration", title)
	}
	file = filepath.Join(t.TempDir(), "hark.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return section, file
}
