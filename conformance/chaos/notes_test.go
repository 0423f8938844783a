package chaos

import (
	"slices"
	"strings"
)

// A note is one of those that Redis keeps for webhooks.
type note struct {
	channel, event, user string
}

// notes returns all notes; those of one channel in order.
func (w *world) notes() []note {
	w.t.Helper()
	masters := []interface {
		Do(args ...string) (string, error)
	}{w.redis}
	if w.cluster != nil {
		masters = masters[:0]
		for _, m := range w.cluster.Masters {
			masters = append(masters, m)
		}
	}
	var all []note
	for _, m := range masters {
		keys, err := m.Do("KEYS", "hark:{*}:notes")
		if err != nil {
			w.t.Fatalf("the notes cannot be read: %v", err)
		}
		for key := range strings.FieldsSeq(keys) {
			answer, err := m.Do("XRANGE", key, "-", "+")
			if err != nil {
				w.t.Fatalf("the notes of %s cannot be read: %v", key, err)
			}
			all = append(all, parseNotes(w.t, answer)...)
		}
	}
	return all
}

// parseNotes reads the lines of a stream's entries: an id, and the fields and values of a note.
func parseNotes(t interface{ Fatalf(string, ...any) }, answer string) []note {
	var all []note
	var n note
	lines := strings.Split(answer, "\n")
	for i := 0; i+1 < len(lines); {
		switch lines[i] {
		case "channel":
			n.channel = lines[i+1]
		case "event":
			n.event = lines[i+1]
		case "user":
			n.user = lines[i+1]
		case "seq": // the last
			all = append(all, n)
		case "app", "epoch":
		default: // the id of the next
			if !strings.Contains(lines[i], "-") {
				t.Fatalf("a note has %q", lines[i])
			}
			n = note{}
			i++
			continue
		}
		i += 2
	}
	return all
}

// noted fails the test unless each coming and going was noted once: they take turns, what was noted last is so, and nobody
// has gone more often than the play had it.
func (w *world) noted(p *play) {
	w.t.Helper()
	there := make(map[[2]string]bool)
	went := make(map[[2]string]int)
	all := w.notes()
	wrong := 0
	blame := func(format string, args ...any) {
		if wrong++; wrong <= blames {
			w.t.Errorf(format, args...)
		}
	}
	for _, n := range all {
		if !slices.Contains(places, n.channel) { // of visitors
			continue
		}
		who := [2]string{n.channel, n.user}
		comes := n.event == "member_added" || n.event == "channel_occupied"
		if there[who] == comes {
			blame("seed %d: the notes of %s have %s %s twice in a row", p.seed, n.channel, n.event, n.user)
		}
		there[who] = comes
		if n.event == "member_removed" {
			went[who]++
		}
	}
	want := make(map[[2]string]bool)
	for _, channel := range places {
		want[[2]string{channel, ""}] = true
		if isPresence(channel) {
			for _, u := range users(p.present()) {
				want[[2]string{channel, u}] = true
			}
		}
	}
	for who, here := range there {
		if here != want[who] {
			blame("seed %d: by the notes %q is on %s: %v, want %v", p.seed, who[1], who[0], here, want[who])
		}
	}
	for who := range want {
		if !there[who] {
			blame("seed %d: the notes do not have that %q came to %s", p.seed, who[1], who[0])
		}
	}
	for who, times := range went {
		p.mu.Lock()
		most := p.departures[who[1]]
		p.mu.Unlock()
		if times > most && !strings.HasPrefix(who[1], passing) {
			blame("seed %d: %s was noted to have left %s %d times, and left %d times", p.seed, who[1], who[0], times, most)
		}
	}
	w.t.Logf("seed %d: %d notes", p.seed, len(all))
}
