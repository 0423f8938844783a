package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"hark/authz"
)

// A publisher triggers events by signed requests, one at a time on each of its connections. They stay open if the server lets
// them; one that the server closes after an answer is opened again.
type publisher struct {
	client   *client
	once     bool // close connections after an answer, whatever the server wants
	idle     []*requester
	queue    []request       // what no connection was free for
	open     int             // connections that were opened
	answered func(r request) // called with each answer; nil: nobody asks
}

// A request is an event to trigger.
type request struct {
	channel *channel
	seq     uint32
	due     time.Duration
	data    []byte
}

// A requester is one connection.
type requester struct {
	publisher *publisher
	line      *line
	source    source
	request   request
	busy      bool
	out       []byte
}

// newPublisher opens the connections.
func newPublisher(c *client, connections int) (*publisher, error) {
	p := &publisher{client: c}
	for range connections {
		(&requester{publisher: p}).dial()
	}
	return p, c.await("opening connections for requests", func() bool { return p.open == connections })
}

// send triggers an event as soon as a connection is free.
func (p *publisher) send(r request) {
	if len(p.idle) == 0 {
		p.queue = append(p.queue, r)
		return
	}
	next := p.idle[0] // who has been idle longest, before the server closes it for that
	p.idle = p.idle[1:]
	next.send(r)
}

func (q *requester) dial() {
	c := q.publisher.client
	var err error
	if q.line, err = c.loop.dial(c.address, q, 0); err != nil {
		c.loop.fail(err)
	}
}

func (q *requester) opened() {
	q.publisher.open++
	q.publisher.client.loop.moved = q.publisher.client.loop.now
	q.free()
}

func (q *requester) free() {
	p := q.publisher
	if len(p.queue) == 0 {
		p.idle = append(p.idle, q)
		return
	}
	next := p.queue[0]
	p.queue = p.queue[1:]
	q.send(next)
}

func (q *requester) send(r request) {
	q.request, q.busy = r, true
	if r.channel.subscribers > 0 {
		r.channel.sent(r.seq, &q.source)
	}
	q.out = q.publisher.appendTrigger(q.out[:0], r.channel.name, r.data)
	q.line.write(q.out)
}

func (q *requester) ended(err error) {
	p := q.publisher
	if !q.busy && (errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET)) {
		p.idle = slices.DeleteFunc(p.idle, func(other *requester) bool { return other == q })
		q.dial()
		return
	}
	p.client.loop.fail(fmt.Errorf("a connection for requests: %w", err))
}

func (q *requester) take(b []byte) (int, error) {
	answer, n, err := scanResponse(b)
	if n == 0 || err != nil {
		return 0, err
	}
	if answer.status/100 != 2 {
		return n, fmt.Errorf("the server answers a trigger with %d %.200s", answer.status, answer.body)
	}
	p := q.publisher
	done := q.request
	q.busy = false
	p.client.loop.moved = p.client.loop.now
	if answer.last || p.once {
		q.line.close()
		q.dial()
	} else {
		q.free()
	}
	if p.answered != nil {
		p.answered(done)
	}
	return n, nil
}

// appendTrigger appends a signed request. The data must be text that is the same in JSON.
func (p *publisher) appendTrigger(b []byte, channel string, data []byte) []byte {
	c := p.client
	body := make([]byte, 0, len(data)+len(channel)+64)
	body = append(body, `{"name":"bench","channels":["`...)
	body = append(body, channel...)
	body = append(body, `"],"data":"`...)
	body = append(body, data...)
	body = append(body, `"}`...)
	path := "/apps/" + c.url.App.ID + "/events"
	query := authz.SignREST(c.url.App.Key, "POST", path, nil, body, time.Now())
	b = append(b, "POST "...)
	b = append(b, c.url.Prefix...)
	b = append(b, path...)
	b = append(b, '?')
	b = append(b, query.Encode()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.url.Host...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}
