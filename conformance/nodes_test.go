package conformance_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels/redisbroker/redistest"
	"hark/conformance"
	"hark/conformance/local"
)

// The cases that do not let time pass, against three nodes on a Redis, over which the connections of a case are spread.
func TestNodes(t *testing.T) {
	all, err := conformance.Transcripts()
	if err != nil {
		t.Fatal(err)
	}
	baseline := readBaseline(t, "baseline-nodes.txt")
	server := redistest.Start(t, redistest.Options{})
	target := conformance.Target{
		App:      local.StandardApp(),
		Start:    local.Nodes(redis.UniversalOptions{Addrs: []string{server.Addr()}}, 3),
		Patience: time.Minute,
	}
	for _, transcript := range all {
		for _, c := range transcript.Cases {
			if c.Waits() {
				continue
			}
			t.Run(c.ID(), func(t *testing.T) {
				t.Parallel()
				check(t, playOn(t, target, c, baseline))
			})
		}
	}
}
