// Package inputs keeps go test from answering out of its cache when it must not.
//
// go test remembers a pass together with the files that the test itself has opened. What programs read that a test
// starts, go list, go build, node, it does not know: a server could be changed and its tests would still be "ok (cached)".
package inputs

import (
	"io/fs"
	"path/filepath"
)

// Below makes the outcome of the running test depend on every file below dir, but for what is not source: .git, dist
// and node_modules. Looking into the folders is enough, since go test then compares names, sizes and times in them.
// Call it in a test: what happens before m.Run is not taken down.
func Below(dir string) error {
	return filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		switch e.Name() {
		case ".git", "dist", "node_modules":
			return filepath.SkipDir
		}
		return nil
	})
}
