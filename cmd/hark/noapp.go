package main

import (
	"fmt"

	"hark/cmd/hark/internal/credentials"
)

// noApp says what to do when there is no app to serve: what it prints can be pasted as it is. Credentials that are known
// in advance would stay in use, so new ones are made each time.
func noApp() string {
	app := credentials.Generate()
	return fmt.Sprintf(`there is no app to serve, so nobody could connect.

Give it one by the environment:

export HARK_APP_ID=%[1]s
export HARK_APP_KEY=%[2]s
export HARK_APP_SECRET=%[3]s

or by a file hark.yaml, and start it with hark serve -c hark.yaml:

apps:
  - id: "%[1]s"
    keys:
      - key: "%[2]s"
        secret: "%[3]s"

The id, key and secret were made just now, and only for you. To try it on this machine without any: hark serve --dev`,
		app.ID, app.Key.Key, string(app.Key.Secret))
}
