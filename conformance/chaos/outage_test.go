package chaos

import (
	"fmt"
	"testing"
	"time"
)

// Redis stands still for longer than the lease: nobody has died of it, and nothing that was accepted is lost.
func TestRedisPaused(t *testing.T) {
	plays(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for range 2 {
			p.traffic(much(100))
			w.redis.Pause()
			if long() {
				lasting(10 * time.Second)
			} else {
				lasting(2 * lease)
			}
			w.redis.Resume()
		}
		p.traffic(much(100))
		w.lossless(p)
	})
}

// Redis stands still for hardly longer than the lease, several times: no call fails, and yet all leases run out at once.
func TestRedisStumbles(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		w.timeout = 3 * lease
		p := w.stage(seed)
		for range 3 {
			p.traffic(50)
			w.redis.Pause()
			lasting(lease + time.Duration(p.rnd.Int64N(int64(lease*9/10))))
			w.redis.Resume()
		}
		p.traffic(50)
		w.lossless(p)
	})
}

// Redis restarts with its data, once as an operator does it and once as a crash.
func TestRedisRestart(t *testing.T) {
	plays(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for _, end := range []func(){w.redis.Stop, w.redis.Kill} {
			p.traffic(much(200))
			end()
			lasting(time.Duration(p.rnd.Int64N(int64(2 * lease))))
			w.redis.Restart()
		}
		p.traffic(much(200))
		w.lossless(p)
	})
}

// Redis restarts with nothing. What was on its way may be lost, if the channel is told; nobody comes or goes by that. Who
// joins on a node that was on no place hears of all who are there.
func TestRedisForgets(t *testing.T) {
	plays(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for i := range 2 {
			fresh := w.local(fmt.Sprintf("n%d", 3+i))
			p.traffic(200)
			w.redis.Kill()
			w.redis.Wipe()
			p.losses++
			lasting(time.Duration(p.rnd.Int64N(int64(2 * lease))))
			w.redis.Restart()
			p.add(fresh)
			p.enter(fmt.Sprintf("f%d", i), fmt.Sprintf("fresh%d", i), fresh.title)
		}
		p.traffic(200)
		p.calm()
	})
}
