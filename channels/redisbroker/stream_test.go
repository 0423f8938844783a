package redisbroker_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// streamOf returns the sizes of what is in a place's stream, as Redis counts them, and what it has counted.
func streamOf(t *testing.T, s *redistest.Server, own, channel string) (sizes []int, counted int) {
	t.Helper()
	do := func(args ...string) string {
		answer, err := s.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	key := do("KEYS", own+":{*}:s:1:"+channel)
	for line := range strings.Lines(do("XRANGE", key, "-", "+")) {
		if line = strings.TrimSpace(line); strings.Contains(line, ":") { // a body; ids and names of fields have no colon
			sizes = append(sizes, len(line)+64)
		}
	}
	counted, err := strconv.Atoi(do("HGET", strings.Replace(key, ":s:", ":p:", 1), "b"))
	if err != nil {
		t.Fatal(err)
	}
	return sizes, counted
}

// A stream holds no more than HistoryBytes, and not much less; what is counted is what is there.
func TestStreamIsTrimmedByBytes(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	const most = 16 << 10
	n := run(t, redisbroker.Config{
		Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, HistoryBytes: most, History: time.Hour,
	})
	p := place("a")
	n.enter(p, user("1.1", ""))
	for i := range 600 {
		n.publish(p, fmt.Sprint("e", i))
		if i < 590 {
			continue
		}
		sizes, counted := streamOf(t, s, own, p.Channel)
		sum := 0
		for _, size := range sizes {
			sum += size
		}
		if sum != counted || sum > most || sum < most-most/16-2*sizes[0] {
			t.Errorf("after %d events the stream holds %d bytes in %d entries and %d are counted, want the same, and about %d",
				i+1, sum, len(sizes), counted, most)
		}
	}
	n.heard(p, "e599")
}

// An event that is larger than HistoryBytes is there alone.
func TestStreamKeepsTheLast(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, HistoryBytes: 1})
	p := place("a")
	n.enter(p, user("1.1", ""))
	for i := range 40 {
		n.publish(p, fmt.Sprint("e", i))
	}
	if sizes, counted := streamOf(t, s, own, p.Channel); len(sizes) != 1 || counted != sizes[0] {
		t.Errorf("the stream holds %d and %d bytes are counted, want one entry", sizes, counted)
	}
}
