package conformance_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README names the tests behind its promises. They have to exist, in the package that it says.
func TestPromisesHaveTests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, promises, found := strings.Cut(string(readme), "\n## What holds\n")
	promises, _, more := strings.Cut(promises, "\n## ")
	if !found || !more {
		t.Fatal("the README has no section What holds")
	}
	row := regexp.MustCompile("`([a-z/]+)`: ((?:`Test[A-Za-z]+`(?:, )?)+)")
	named := 0
	for _, m := range row.FindAllStringSubmatch(promises, -1) {
		source := testSource(t, m[1])
		for _, name := range regexp.MustCompile("Test[A-Za-z]+").FindAllString(m[2], -1) {
			named++
			if !strings.Contains(source, "func "+name+"(t *testing.T)") {
				t.Errorf("the README promises %s in %s, which does not exist", name, m[1])
			}
		}
	}
	if all := strings.Count(promises, "`Test"); named == 0 || named != all {
		t.Errorf("understood %d of the %d tests that the README names", named, all)
	}
}

// testSource returns the text of a package's tests.
func testSource(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	files, err := fs.Glob(os.DirFS(filepath.Join("..", dir)), "*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join("..", dir, name))
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	return text.String()
}
