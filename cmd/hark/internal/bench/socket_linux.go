package bench

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"hark/protocol"
)

// A socket is one websocket client.
type socket struct {
	client       *client
	node         node
	line         *line
	on           listener
	id           protocol.SocketID // "": not established
	upgraded     bool
	leaving      bool   // it sent its close frame
	reason       string // what the server's close frame says
	subscription *subscription
	source       source // of client events
	index        int    // its listener's name for it
}

// A listener is told what happens to sockets.
type listener interface {
	established(s *socket)
	subscribed(s *socket)                         // the subscription is there
	event(s *socket, st stamp, message []byte)    // an event with a stamp
	other(s *socket, name string, message []byte) // anything else
	gone(s *socket, err error)                    // the connection has ended
}

// What every server is asked and answered, byte for byte.
var (
	pongMessage = []byte(`{"event":"pusher:pong","data":{}}`)
	normalClose = []byte{0x03, 0xE8} // 1000
)

// connect begins the connection of a new socket. receiveBuffer is in bytes; 0: what the system has.
func (c *client) connect(on listener, index, receiveBuffer int) (*socket, error) {
	s := &socket{client: c, node: c.nodes[index%len(c.nodes)], on: on, index: index}
	var err error
	s.line, err = c.loop.dial(s.node.address, s, receiveBuffer)
	return s, err
}

func (s *socket) opened() { s.line.write(s.node.handshake) }

func (s *socket) ended(err error) {
	switch {
	case s.reason != "":
		err = errors.New(s.reason)
	case s.leaving:
		err = nil // whether the server answers the close frame is its own affair
	}
	s.on.gone(s, err)
}

// take implements user.
func (s *socket) take(b []byte) (int, error) {
	used := 0
	if !s.upgraded {
		n, err := scanUpgrade(b)
		if n == 0 || err != nil {
			return 0, err
		}
		s.upgraded, used = true, n
	}
	for s.line.fd >= 0 {
		f, n, err := scanFrame(b[used:])
		if n == 0 || err != nil {
			return used, err
		}
		used += n
		if err := s.handle(f); err != nil {
			return used, err
		}
	}
	return len(b), nil
}

func (s *socket) handle(f frame) error {
	switch f.opcode {
	case opText:
		return s.message(f.payload)
	case opPing:
		s.send(opPong, f.payload)
	case opClose:
		s.reason = closeText(f.payload)
		if s.leaving {
			s.reason = "" // the answer to its own
			return nil
		}
		s.send(opClose, f.payload)
		s.leaving = true
	}
	return nil
}

func closeText(payload []byte) string {
	if len(payload) < 2 {
		return "the server closed the connection without a code"
	}
	return fmt.Sprintf("the server closed the connection: %d %s", binary.BigEndian.Uint16(payload), payload[2:])
}

func (s *socket) message(m []byte) error {
	if st, ok := s.client.stamps.find(m); ok {
		s.on.event(s, st, m)
		return nil
	}
	switch name := eventName(m); name {
	case eventPing:
		s.send(opText, pongMessage)
	case eventEstablished:
		return s.establish(m)
	case eventSubscribed:
		s.on.subscribed(s)
	case eventError, eventRefused:
		return fmt.Errorf("the server says: %.300s", m)
	default:
		s.on.other(s, name, m)
	}
	return nil
}

func (s *socket) establish(m []byte) error {
	var outer struct {
		Data string `json:"data"`
	}
	var inner struct {
		ID protocol.SocketID `json:"socket_id"`
	}
	if err := json.Unmarshal(m, &outer); err != nil {
		return fmt.Errorf("read %s: %w", eventEstablished, err)
	}
	if err := json.Unmarshal([]byte(outer.Data), &inner); err != nil {
		return fmt.Errorf("read %s: %w", eventEstablished, err)
	}
	s.id = inner.ID
	s.on.established(s)
	return nil
}

func (s *socket) send(opcode byte, payload []byte) {
	s.client.frame = appendClientFrame(s.client.frame[:0], opcode, payload)
	s.line.write(s.client.frame)
}

// subscribe asks for a subscription. channelData is for presence channels; "" for others.
func (s *socket) subscribe(channel, channelData string) {
	type data struct {
		Channel     string `json:"channel"`
		Auth        string `json:"auth,omitzero"`
		ChannelData string `json:"channel_data,omitzero"`
	}
	d := data{Channel: channel, ChannelData: channelData}
	if protocol.KindOf(channel).NeedsAuth() {
		d.Auth = s.client.url.App.Key.ChannelAuth(s.id, channel, channelData, channelData != "")
	}
	s.say("pusher:subscribe", d)
}

// unsubscribe leaves a channel. There is no answer.
func (s *socket) unsubscribe(channel string) {
	s.say("pusher:unsubscribe", map[string]string{"channel": channel})
}

func (s *socket) say(event string, data any) {
	text, err := json.Marshal(struct {
		Event string `json:"event"`
		Data  any    `json:"data"`
	}{event, data})
	if err != nil {
		s.client.loop.fail(fmt.Errorf("encode %s: %w", event, err))
		return
	}
	s.send(opText, text)
}

// leave begins to close the connection in order. The server ends it.
func (s *socket) leave() {
	s.leaving = true
	s.send(opClose, normalClose)
}
