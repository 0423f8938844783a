package scenarios

import (
	"testing"

	"hark/channels/redisbroker/redistest"
)

// Nodes are a standalone on two nodes that share a Redis. Clients find the auth endpoint on the first, and backends ask the
// second: what is asked on one has to be true on the other.
type nodes struct {
	standalone
	both bool // clients are on both in turn, else on the first
}

func (n nodes) mode() string {
	if n.both {
		return "S2 both"
	}
	return "S2"
}

func (n nodes) start(t *testing.T) *world {
	redis := redistest.Start(t, redistest.Options{}) // outlives the servers
	w := n.startNodes(t, "redis://"+redis.Addr(), 2)
	if n.both {
		w.other = w.rest
	}
	return w
}

// withNodes adds to setups those that are to be played on two nodes, too.
func withNodes(setups []setup) []setup {
	all := setups
	for _, s := range setups {
		if one, ok := s.(standalone); ok && one.x2 {
			all = append(all, nodes{standalone: one}, nodes{standalone: one, both: true})
		}
	}
	return all
}
