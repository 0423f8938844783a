package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// publish has so many publishers on each place, each of which publishes one event after the other by any node, about every
// interval, until calm.
func (p *play) publish(publishers int, every time.Duration) {
	for i, channel := range places {
		for by := range publishers {
			rnd := rand.New(rand.NewPCG(p.seed, uint64(100+i*100+by)))
			p.acting.Go(func() {
				for p.ctx.Err() == nil {
					p.publishOne(channel, by)
					pause(p.ctx, time.Duration(rnd.Int64N(int64(2*every))))
				}
			})
		}
	}
}

// passing begins the ids of users who come and go by themselves. While they do, nobody can say who of them has to be there.
const passing = "passing"

// churn has so many further users come, to any node, and go again, one after the other each, until calm.
func (p *play) churn(users int) {
	for i := range users {
		rnd := rand.New(rand.NewPCG(p.seed, uint64(1000+i)))
		p.acting.Go(func() {
			for n := 0; p.ctx.Err() == nil; n++ {
				c := p.enter(fmt.Sprintf("p%d.%d", i, n), fmt.Sprint(passing, i), "")
				pause(p.ctx, time.Duration(rnd.Int64N(int64(200*time.Millisecond))))
				p.exit(c)
			}
		})
	}
}

// publishOne publishes the next event, or tries to.
func (p *play) publishOne(channel string, by int) (id, bool) {
	n := p.any()
	if n == nil {
		pause(p.ctx, again)
		return id{}, false
	}
	i := p.ledger.begin(channel, by)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.trigger(ctx, channel, i.String()); err != nil {
		pause(p.ctx, again)
		return i, false
	}
	p.ledger.accept(channel, i)
	return i, true
}
