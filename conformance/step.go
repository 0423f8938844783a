package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A step is a line of a case, and the indented lines below it.
type step struct {
	line  int
	text  string
	below []string
	// takes checks an indented line; nil: there can be none.
	takes func(line string) error
	play  func(p *player, below []string) error
}

// resume takes an indented line in.
func (s *step) resume(line string) error {
	if s.takes == nil {
		return errors.New("this step is not continued")
	}
	s.below = append(s.below, line)
	return s.takes(line)
}

// A scope is what is known of a case up to a line. The zero scope is its start.
type scope struct {
	clients map[string]bool
	asked   bool // there is a request, and its answer comes next
}

// step parses a line that is not indented.
func (s *scope) step(line string) (step, error) {
	verb, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if s.asked != (verb == "->") {
		return step{}, errors.New("a request is followed by its answer, -> STATUS, and nothing else is")
	}
	s.asked = false
	made := step{text: line}
	var err error
	switch verb {
	case "connect", "open":
		made.play, err = s.dial(verb, rest)
	case "wait":
		made.play, err = wait(rest)
	case "server":
		made.play, err = server(rest)
	case "crowd":
		made.play, err = crowd(rest)
	case "->":
		err = answer(&made, rest)
	case "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH":
		err = s.request(&made, request{method: verb, signed: true}, rest)
	case "unsigned", "appless":
		method, path, _ := strings.Cut(rest, " ")
		err = s.request(&made, request{method: method, signed: verb == "appless", appless: true}, path)
	default:
		err = s.clientStep(&made, verb, rest)
	}
	if err == nil {
		err = checkPlaceholders(line)
	}
	return made, err
}

// dial parses "connect a", "connect a to other", "connect a PATH", "open a PATH".
func (s *scope) dial(verb, rest string) (func(*player, []string) error, error) {
	name, rest := cutWord(rest)
	if !isName(name) {
		return nil, errors.New("a client has a name, of small letters and digits")
	}
	app, toApp := strings.CutPrefix(rest, "to ")
	path := ""
	switch word, more := cutWord(rest); {
	case toApp && verb == "connect":
	case strings.HasPrefix(word, "/") && more == "":
		app, path = "", word
	case rest != "" || verb == "open":
		return nil, errors.New(`this is "connect NAME", with a path or "to APP", or "open NAME PATH"`)
	}
	if s.clients == nil {
		s.clients = make(map[string]bool)
	}
	s.clients[name] = true
	established := verb == "connect"
	return func(p *player, _ []string) error { return p.connect(name, app, path, established) }, nil
}

func wait(rest string) (func(*player, []string) error, error) {
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return nil, fmt.Errorf("%q is no duration", rest)
	}
	return func(p *player, _ []string) error { return p.wait(d) }, nil
}

// server parses "ends".
func server(rest string) (func(*player, []string) error, error) {
	if rest != "ends" {
		return nil, errors.New(`this is "server ends"`)
	}
	return func(p *player, _ []string) error {
		if p.target.End == nil {
			return ErrSkipped
		}
		p.target.End()
		return nil
	}, nil
}

// request parses "POST /events {…}" and the lines below it.
func (s *scope) request(made *step, r request, rest string) error {
	path, body := cutWord(rest)
	if !strings.HasPrefix(path, "/") || r.method == "" {
		return errors.New("a request is METHOD /path, and maybe a body")
	}
	s.asked = true
	r.path, r.body = path, body
	made.takes = func(line string) error {
		_, _, err := parameter(line)
		return err
	}
	made.play = func(p *player, below []string) error { return p.request(r, below) }
	return nil
}

// parameter splits a line "name: value".
func parameter(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsAny(name, " \"{") {
		return "", "", errors.New(`below a request stand lines "name: value"`)
	}
	if name == "body" {
		value, err = strconv.Unquote(value)
		if err != nil {
			return "", "", errors.New(`body is given as a Go string, "…"`)
		}
		return name, value, nil
	}
	return name, value, checkPlaceholders(value)
}

// answer parses "-> 200 {…}". Headers may stand below.
func answer(made *step, rest string) error {
	status, body, _ := strings.Cut(rest, " ")
	codes, err := parseCodes(status)
	if err != nil {
		return err
	}
	body = strings.TrimSpace(body)
	made.takes = func(line string) error {
		_, _, err := parameter(line)
		return err
	}
	made.play = func(p *player, below []string) error { return p.answered(codes, body, below) }
	return nil
}

// parseCodes reads "4001", "4006|4007" or "1002|dropped"; dropped is 0.
func parseCodes(s string) ([]int, error) {
	var codes []int
	for word := range strings.SplitSeq(s, "|") {
		code, err := strconv.Atoi(word)
		if word == "dropped" {
			code, err = 0, nil
		}
		if err != nil || code < 0 || slices.Contains(codes, code) {
			return nil, fmt.Errorf("%q is no code", s)
		}
		codes = append(codes, code)
	}
	return codes, nil
}

// cutWord splits s behind its first word. A placeholder may have spaces.
func cutWord(s string) (word, rest string) {
	open := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			open++
		case '}':
			open--
		case ' ':
			if open <= 0 {
				return s[:i], strings.TrimSpace(s[i:])
			}
		}
	}
	return s, ""
}

// isName reports whether a client or an app may be called s.
func isName(s string) bool {
	for i, c := range s {
		if (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && s != "key" && s != "app" && s != "to"
}
