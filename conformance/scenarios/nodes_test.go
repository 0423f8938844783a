package scenarios

import (
	"fmt"
	"testing"

	"hark/channels/redisbroker/redistest"
)

// Nodes are a standalone on nodes that share a Redis. Clients find the auth endpoint on the first, and backends ask the
// last: what is asked on one has to be true on the others.
type nodes struct {
	standalone
	number  int
	clients int // clients are on so many of them, in turn
}

func (n nodes) mode() string { return fmt.Sprintf("S%d", n.number) }

func (n nodes) start(t *testing.T) *world {
	redis := redistest.Start(t, redistest.Options{}) // outlives the servers
	w := n.startNodes(t, "redis://"+redis.Addr(), n.number)
	w.hosts, w.redis = w.hosts[:n.clients], redis
	return w
}

// withNodes adds to setups those that are to be played on two and three nodes, too.
func withNodes(setups []setup) []setup {
	all := setups
	for _, s := range setups {
		if one, ok := s.(standalone); ok && one.x2 {
			all = append(all, nodes{one, 2, 1}, nodes{one, 3, 3})
		}
	}
	return all
}
