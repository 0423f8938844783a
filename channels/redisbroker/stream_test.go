package redisbroker_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
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

func total(sizes []int) (sum int) {
	for _, size := range sizes {
		sum += size
	}
	return sum
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
		if sum := total(sizes); sum != counted || sum > most || sum < most-most/16-2*sizes[0] {
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

// fill puts old entries into the stream of a place that has none, as if they had been published so long ago.
func fill(t *testing.T, s *redistest.Server, own, channel string, entries int, ago time.Duration) {
	t.Helper()
	do(t, s, "EVAL", `
		local place = redis.call('KEYS', ARGV[1] .. ':{*}:p:1:' .. ARGV[2])[1]
		local stream = string.gsub(place, ':p:', ':s:')
		local ms = redis.call('TIME')[1] * 1000 - ARGV[4]
		for i = 1, ARGV[3] do redis.call('XADD', stream, string.format('%.0f-%d', ms, i), 'e', '1En1:e', 'i', 'x') end
		redis.call('HSET', place, 's', ARGV[3], 'm', string.format('%.0f', ms), 'b', ARGV[3] * (6 + 64), 'o', string.format('%.0f', ms))`,
		"0", own, channel, strconv.Itoa(entries), strconv.FormatInt(ago.Milliseconds(), 10))
}

// A stream lets go of what is too old, a bounded amount with each event; what is counted is what is there.
func TestStreamIsTrimmedByAge(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, History: time.Hour})
	p := place("a")
	n.enter(p, user("1.1", ""))
	fill(t, s, own, p.Channel, 300, 2*time.Hour)
	for i, want := range []int{300 - 256 + 1, 2, 3} {
		n.publish(p, fmt.Sprint("e", i))
		sizes, counted := streamOf(t, s, own, p.Channel)
		if sum := total(sizes); len(sizes) != want || counted != sum {
			t.Errorf("after %d events the stream holds %d entries of %d bytes, and %d are counted, want %d entries and the same",
				i+1, len(sizes), sum, counted, want)
		}
	}
}

// What is counted is what is there, whoever puts it there.
func TestStreamOfMembers(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own})
	p := place("presence-a")
	n.enter(p, user("1.1", "ada"), user("1.2", "bob"))
	n.publish(p, "e")
	n.enter(p, user("1.3", "cy"))
	n.leave(p, user("1.2", "bob"))
	if sizes, counted := streamOf(t, s, own, p.Channel); len(sizes) != 5 || counted != total(sizes) {
		t.Errorf("the stream holds %d entries of %d bytes, and %d are counted, want 5 entries and the same",
			len(sizes), total(sizes), counted)
	}
}

// What is left in a stream of an epoch that Redis has forgotten goes when the next begins.
func TestStreamOfForgottenEpoch(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Partitions: 1})
	p := place("a")
	n.enter(p, user("1.1", ""))
	for i := range 3 {
		n.publish(p, fmt.Sprint("e", i))
	}
	n.leave(p, user("1.1", ""))
	do(t, s, "DEL", own+":{p0}:p:1:a") // which ends by itself before the stream does
	n.enter(p, user("1.2", ""))
	if refused := n.publish(p, "next"); refused > 0 {
		t.Errorf("refused %d times", refused)
	}
	if sizes, counted := streamOf(t, s, own, p.Channel); len(sizes) != 1 || counted != sizes[0] {
		t.Errorf("the stream holds %d and %d bytes are counted, want one entry", sizes, counted)
	}
}

// A stream is there for History after its last entry, and not much longer, though not every event says so.
func TestStreamOutlivesItsLastEntry(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Partitions: 1, History: time.Hour})
	p := place("a")
	n.enter(p, user("1.1", ""))
	hash, stream := own+":{p0}:p:1:a", own+":{p0}:s:1:a"
	integer := func(args ...string) int64 {
		v, err := strconv.ParseInt(do(t, s, args...), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for i := range 20 {
		n.publish(p, fmt.Sprint("e", i))
		last, end := integer("HGET", hash, "m"), integer("PEXPIRETIME", stream)
		if left := time.Duration(end-last) * time.Millisecond; left < time.Hour+5*time.Second || left > time.Hour+10*time.Second {
			t.Errorf("event %d: the stream is there for %v after it, want 5 to 10 s more than an hour", i, left)
		}
		if i%5 == 4 { // as if all that were 7 s ago
			do(t, s, "HSET", hash, "m", strconv.FormatInt(last-7000, 10))
			do(t, s, "PEXPIREAT", stream, strconv.FormatInt(end-7000, 10))
		}
	}
}

// A place that nobody is on ends with its cached event; one that somebody is on does not.
func TestCachedEventKeepsItsPlace(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Partitions: 1, History: time.Hour})
	for _, c := range []struct {
		channel string
		cache   time.Duration
		least   int // of the ms that the place is kept while nobody is on it
	}{{"cache-short", time.Second, 1001}, {"cache-long", 2 * time.Hour, 3_600_001}} {
		p := place(c.channel)
		ends := func() int {
			ms, err := strconv.Atoi(do(t, s, "PTTL", own+":{p0}:p:1:"+c.channel))
			if err != nil {
				t.Fatal(err)
			}
			return ms
		}
		publish := func(name string) {
			if _, err := n.Publish(t.Context(), channels.Envelope{Place: p, Name: name, Cache: c.cache}); err != nil {
				t.Fatal(err)
			}
		}
		publish("first")
		if left := ends(); left < c.least {
			t.Errorf("%s that nobody is on ends in %d ms, want %d or more", c.channel, left, c.least)
		}
		n.enter(p, user("1.1", ""))
		publish("second")
		if left := ends(); left != -1 {
			t.Errorf("%s that somebody is on ends in %d ms, want never", c.channel, left)
		}
	}
}
