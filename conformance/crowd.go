package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxCrowd bounds how many connections a case has that nobody speaks of.
const maxCrowd = 1000

// crowd parses "NUMBER joins CHANNEL [as DATA]" and "NUMBER drops": connections
// of the first app that a rule is about by their number alone.
func crowd(rest string) (func(*player, []string) error, error) {
	number, rest, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	rest, joins := strings.CutPrefix(rest, "joins ")
	channel, data, hasData := strings.Cut(rest, " as ")
	if err != nil || n < 1 || n > maxCrowd || joins == (rest == "drops") || joins && channel == "" || hasData && data == "" {
		return nil, errors.New(`this is "crowd NUMBER joins CHANNEL", maybe with "as DATA", or "crowd NUMBER drops"`)
	}
	if joins {
		return func(p *player, _ []string) error { return p.gather(n, channel, data, hasData) }, nil
	}
	return func(p *player, _ []string) error { return p.scatter(n) }, nil
}

// gather lets n more clients join a channel, where # in data stands for the
// number of each. What they hear from then on is not looked at, as if they were
// gone.
func (p *player) gather(n int, channel, data string, hasData bool) error {
	for range n {
		number := strconv.Itoa(len(p.crowd) + 1)
		name := "crowd " + number
		if err := p.connect(name, "", "", true); err != nil {
			return err
		}
		c := p.clients[name]
		if err := p.subscribe(c, channel, strings.ReplaceAll(data, "#", number), hasData); err != nil {
			return err
		}
		if err := p.succeeds(c, channel); err != nil {
			return err
		}
		c.gone = true
		p.crowd = append(p.crowd, c)
	}
	return nil
}

// scatter ends n connections of the crowd, the youngest first.
func (p *player) scatter(n int) error {
	if n > len(p.crowd) {
		return p.wrong(fmt.Errorf("the crowd has %d connections", len(p.crowd)))
	}
	left := len(p.crowd) - n
	for _, c := range p.crowd[left:] {
		c.conn.close()
	}
	p.crowd = p.crowd[:left]
	return nil
}
