package bench

import (
	"testing"
	"time"
)

func TestSequence(t *testing.T) {
	tests := []struct {
		name   string
		places []uint32
		want   Tally // Lost: of 5
	}{
		{"in order", []uint32{0, 1, 2, 3, 4}, Tally{Received: 5}},
		{"nothing", nil, Tally{Lost: 5}},
		{"the last is missing", []uint32{0, 1, 2, 3}, Tally{Received: 4, Lost: 1}},
		{"some are missing", []uint32{1, 4}, Tally{Received: 2, Lost: 3}},
		{"twice at once", []uint32{0, 0, 1, 2, 3, 4}, Tally{Received: 6, Duplicated: 1}},
		{"twice, later", []uint32{0, 1, 2, 3, 4, 1}, Tally{Received: 6, Duplicated: 1}},
		{"two change places", []uint32{0, 2, 1, 3, 4}, Tally{Received: 5, Reordered: 1}},
		{"late, and again", []uint32{0, 2, 1, 1, 3, 4}, Tally{Received: 6, Reordered: 1, Duplicated: 1}},
		{"the first comes last", []uint32{1, 2, 3, 4, 0}, Tally{Received: 5, Reordered: 1}},
		{"backwards", []uint32{4, 3, 2, 1, 0}, Tally{Received: 5, Reordered: 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s sequence
			var got Tally
			for _, place := range test.places {
				s.receive(place, &got)
			}
			got.Lost = s.lost(5)
			if got != test.want {
				t.Errorf("%v: %+v, want %+v", test.places, got, test.want)
			}
		})
	}
}

// A delivery of a test: which subscriber gets which event.
type delivery struct {
	subscriber int
	seq        uint32
}

func TestLedger(t *testing.T) {
	tests := []struct {
		name       string
		publishers []int // by event
		deliveries []delivery
		want       Tally
		done       []uint32
	}{
		{
			name:       "in order",
			publishers: []int{0, 0},
			deliveries: []delivery{{0, 0}, {1, 0}, {0, 1}, {1, 1}},
			want:       Tally{Received: 4}, done: []uint32{0, 1},
		},
		{
			name:       "two publishers may overtake each other, if all see the same",
			publishers: []int{0, 1},
			deliveries: []delivery{{0, 1}, {1, 1}, {0, 0}, {1, 0}},
			want:       Tally{Received: 4}, done: []uint32{1, 0},
		},
		{
			name:       "two publishers, and one subscriber sees another order",
			publishers: []int{0, 1},
			deliveries: []delivery{{0, 0}, {0, 1}, {1, 1}, {1, 0}},
			want:       Tally{Received: 4, Reordered: 1}, done: []uint32{1, 0},
		},
		{
			name:       "one publisher is not overtaken by itself",
			publishers: []int{0, 0},
			deliveries: []delivery{{0, 1}, {1, 1}, {0, 0}, {1, 0}},
			want:       Tally{Received: 4, Reordered: 1}, done: []uint32{1, 0},
		},
		{
			name:       "one delivery is missing",
			publishers: []int{0, 0},
			deliveries: []delivery{{0, 0}, {0, 1}, {1, 1}},
			want:       Tally{Received: 3, Lost: 1}, done: []uint32{1},
		},
		{
			name:       "an event that nobody gets",
			publishers: []int{0, 0},
			deliveries: []delivery{{0, 0}, {1, 0}},
			want:       Tally{Received: 2, Lost: 2}, done: []uint32{0},
		},
		{
			name:       "an event comes twice",
			publishers: []int{0},
			deliveries: []delivery{{0, 0}, {0, 0}, {1, 0}},
			want:       Tally{Received: 3, Duplicated: 1}, done: []uint32{0},
		},
		{
			name:       "an event that was not published",
			publishers: []int{0},
			deliveries: []delivery{{0, 0}, {1, 0}, {1, 7}},
			want:       Tally{Received: 2, Unknown: 1}, done: []uint32{0},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var done []uint32
			l := &ledger{done: func(_ *channel, seq uint32) { done = append(done, seq) }}
			c := l.open("c")
			c.subscribers = 2
			subscribers := []*subscription{{channel: c}, {channel: c}}
			var sources [2]source
			for _, publisher := range test.publishers {
				c.sent(l.publish(c, 0), &sources[publisher])
			}
			for _, d := range test.deliveries {
				l.receive(subscribers[d.subscriber], stamp{c.index, d.seq}, 0)
			}
			l.settle(subscribers)
			if l.tally != test.want {
				t.Errorf("tally %+v, want %+v", l.tally, test.want)
			}
			if len(done) != len(test.done) || l.pending != len(test.publishers)-len(done) {
				t.Fatalf("done %v with %d pending, want %v", done, l.pending, test.done)
			}
			for i, seq := range done {
				if seq != test.done[i] {
					t.Fatalf("done %v, want %v", done, test.done)
				}
			}
		})
	}
}

func TestLedgerOtherChannel(t *testing.T) {
	l := &ledger{}
	l.openAll("c", 2)
	one, other := l.spread(0), l.spread(1)
	one.subscribers, other.subscribers = 1, 1
	l.publish(other, 0)
	l.receive(&subscription{channel: one}, stamp{other.index, 0}, 0)
	if want := (Tally{Unknown: 1}); l.tally != want {
		t.Errorf("tally %+v, want %+v", l.tally, want)
	}
}

func TestLedgerLateness(t *testing.T) {
	l := &ledger{late: &histogram{}}
	c := l.open("c")
	c.subscribers = 1
	l.publish(c, 40)
	l.receive(&subscription{channel: c}, stamp{c.index, 0}, 100)
	if got := l.late.quantile(1); got != 60*time.Nanosecond {
		t.Errorf("late by %v, want 60ns", got)
	}
}
