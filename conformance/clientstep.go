package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// clientStep parses a step that a client takes: its name, and what it does.
func (s *scope) clientStep(made *step, name, rest string) error {
	if !s.clients[name] {
		return fmt.Errorf("neither a step nor a client that is connected: %q", name)
	}
	verb, rest, _ := strings.Cut(rest, " ")
	rest = strings.TrimSpace(rest)
	does, err := clientVerb(made, verb, rest)
	if err != nil {
		return err
	}
	made.play = func(p *player, below []string) error {
		c := p.clients[name]
		if c == nil {
			return p.fail("a client that is connected", name+" is not")
		}
		return does(p, c, below)
	}
	return nil
}

// A clientDoes carries out what a client does.
type clientDoes func(p *player, c *client, below []string) error

func clientVerb(made *step, verb, rest string) (clientDoes, error) {
	none := func(f func(*player, *client) error) (clientDoes, error) {
		if rest != "" {
			return nil, fmt.Errorf("nothing follows %q", verb)
		}
		return func(p *player, c *client, _ []string) error { return f(p, c) }, nil
	}
	switch verb {
	case ">":
		return func(p *player, c *client, _ []string) error { return p.say(c, rest) }, nil
	case "<":
		made.takes = checkPlaceholders
		return func(p *player, c *client, below []string) error {
			return p.hear(c, strings.Join(append([]string{rest}, below...), "\n"))
		}, nil
	case "subscribes", "joins":
		return subscribes(rest, verb == "joins")
	case "signs", "becomes":
		return signsIn(verb, rest)
	case "unsubscribes":
		return func(p *player, c *client, _ []string) error { return p.unsubscribe(c, rest) }, nil
	case "refused":
		return refused(rest)
	case "gets":
		return gets(rest)
	case "sends":
		return sends(rest)
	case "answers":
		if rest != "no pings" {
			return nil, errors.New(`this is "answers no pings"`)
		}
		return func(_ *player, c *client, _ []string) error { c.conn.answersPings.Store(false); return nil }, nil
	case "hears":
		return hears(rest)
	case "closed":
		return closed(rest)
	case "closes":
		return none((*player).close)
	case "drops":
		return none((*player).drop)
	}
	return nil, fmt.Errorf("a client does not do %q", verb)
}

// subscribes parses "CHANNEL" and "CHANNEL as DATA".
func subscribes(rest string, succeeds bool) (clientDoes, error) {
	channel, data, has := strings.Cut(rest, " as ")
	if channel == "" || has && data == "" {
		return nil, errors.New("a channel is missing, or the data that follows as")
	}
	return func(p *player, c *client, _ []string) error {
		if err := p.subscribe(c, channel, data, has); err != nil || !succeeds {
			return err
		}
		return p.succeeds(c, channel)
	}, nil
}

// signsIn parses "signs in as USER-DATA" and "becomes USER-DATA".
func signsIn(verb, rest string) (clientDoes, error) {
	data, ok := rest, true
	if verb == "signs" {
		data, ok = strings.CutPrefix(rest, "in as ")
	}
	if !ok || data == "" {
		return nil, errors.New(`this is "signs in as USER-DATA", or "becomes USER-DATA"`)
	}
	return func(p *player, c *client, _ []string) error { return p.signIn(c, data, verb == "becomes") }, nil
}

// refused parses "CHANNEL TYPE STATUS TEXT".
func refused(rest string) (clientDoes, error) {
	channel, rest := cutWord(rest)
	kind, rest := cutWord(rest)
	number, text := cutWord(rest)
	status, err := strconv.Atoi(number)
	if err != nil || text == "" {
		return nil, errors.New(`this is "refused CHANNEL TYPE STATUS TEXT"`)
	}
	return func(p *player, c *client, _ []string) error {
		return p.refused(c, channel, kind, status, text)
	}, nil
}

// gets parses "error CODE TEXT", "ping TEXT", "pong TEXT".
func gets(rest string) (clientDoes, error) {
	what, rest, _ := strings.Cut(rest, " ")
	switch what {
	case "ping", "pong":
		return func(p *player, c *client, _ []string) error { return p.control(c, what, rest) }, nil
	case "error":
		code, text, _ := strings.Cut(rest, " ")
		if _, err := strconv.Atoi(code); err != nil && code != "null" || text == "" {
			return nil, errors.New(`this is "gets error CODE TEXT", where CODE may be null`)
		}
		return func(p *player, c *client, _ []string) error { return p.told(c, code, text) }, nil
	}
	return nil, errors.New(`a client gets "error", "ping" or "pong"`)
}

// sends parses `KIND "GO STRING"…`.
func sends(rest string) (clientDoes, error) {
	kind, rest, _ := strings.Cut(rest, " ")
	var parts []string
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, errors.New(`what is sent is given as Go strings, "…"`)
		}
		part, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		rest = rest[len(quoted):]
	}
	if _, ok := opcodes[kind]; !ok && kind != "wire" || len(parts) == 0 {
		return nil, errors.New(`this is "sends text|binary|ping|pong|close|wire", and a Go string`)
	}
	if len(parts) > 1 && kind != "text" && kind != "binary" {
		return nil, errors.New("only a message has several fragments")
	}
	return func(p *player, c *client, _ []string) error { return p.send(c, kind, parts) }, nil
}

// hears parses "nothing" and "nothing for DURATION".
func hears(rest string) (clientDoes, error) {
	if rest == "nothing" {
		return func(p *player, c *client, _ []string) error { return p.hearsNothing(c) }, nil
	}
	text, ok := strings.CutPrefix(rest, "nothing for ")
	if !ok {
		return nil, errors.New(`this is "hears nothing", or "hears nothing for DURATION"`)
	}
	d, fromActivity, err := duration(text)
	if err != nil {
		return nil, err
	}
	return func(p *player, c *client, _ []string) error {
		if fromActivity {
			return p.silence(c, c.activity+d)
		}
		return p.silence(c, d)
	}, nil
}

// duration parses "50s" and "activity-1s".
func duration(s string) (d time.Duration, fromActivity bool, err error) {
	s, fromActivity = strings.CutPrefix(s, "activity")
	if fromActivity && s == "" {
		return 0, true, nil
	}
	d, err = time.ParseDuration(s)
	if err != nil || !fromActivity && d < 0 {
		return 0, false, fmt.Errorf("%q is no duration", s)
	}
	return d, fromActivity, nil
}

// closed parses `CODES` and `CODES "REASON"`.
func closed(rest string) (clientDoes, error) {
	word, reason, has := strings.Cut(rest, " ")
	codes, err := parseCodes(word)
	if err != nil {
		return nil, err
	}
	if has {
		if reason, err = strconv.Unquote(strings.TrimSpace(reason)); err != nil {
			return nil, errors.New(`a reason is a Go string, "…"`)
		}
	}
	return func(p *player, c *client, _ []string) error { return p.closed(c, codes, has, reason) }, nil
}
