package chaos

import (
	"testing"
	"time"

	"hark/channels/redisbroker/redistest"
)

// A master fails for good, and a replica takes its place: Sentinels see to that, or in a cluster the other masters. What the
// replica had is not lost, and where it did not have all, that is told. Nobody comes or goes by it.
func TestFailover(t *testing.T) {
	failovers(t, 10, func(t *testing.T) (*world, func()) {
		master := redistest.Start(t, keeping)
		replica := redistest.StartReplica(t, master)
		sentinels := redistest.StartSentinels(t, master, 1)
		return &world{t: t, lease: patientLease, redis: master, sentinels: sentinels}, func() {
			master.Kill()
			sentinels.Await(replica)
		}
	})
}

func TestClusterFailover(t *testing.T) {
	failovers(t, 10, func(t *testing.T) (*world, func()) {
		o := keeping
		o.Args = append([]string{"--cluster-node-timeout", "1000"}, o.Args...)
		c := redistest.StartCluster(t, o, redistest.Thirds...)
		master := c.Masters[0]
		replica := c.Replica(master)
		return &world{t: t, lease: patientLease, redis: replica, cluster: c}, func() {
			master.Kill()
			c.AwaitMaster(replica)
			c.Masters[0] = replica
		}
	})
}

// patientLease is longer than a node may come later than another to the new master: after some connections that were refused
// go-redis tries once a second.
const patientLease = 3 * time.Second

// failovers plays a master's failure under traffic, with so many seeds.
func failovers(t *testing.T, times int, begin func(t *testing.T) (*world, func())) {
	if !long() {
		t.Skip("channels/redisbroker has one of each; many: make chaos")
	}
	plays(t, times, func(t *testing.T, seed uint64) {
		w, fail := begin(t)
		p := w.stage(seed)
		p.traffic(200)
		lasting(time.Duration(p.rnd.Int64N(int64(lease / 2))))
		fail()
		p.traffic(200)
		p.calm()
	})
}
