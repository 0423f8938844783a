package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hark/protocol"
)

// ErrSkipped is the error of Run for a case that needs a server of its own when
// the Target starts none, or none that can be ended.
var ErrSkipped = errors.New("needs a server with a configuration of its own")

// A Failure is a case that went another way than its transcript says.
type Failure struct {
	File     string
	Line     int
	Case     string
	Step     string // the line itself
	Expected string
	Got      string
	// Difference says where the two part, if that is not plain; "" otherwise.
	Difference string
}

// Error tells what was expected where, and what came.
func (f *Failure) Error() string {
	s := fmt.Sprintf("%s:%d: %s\n    step: %s\nexpected: %s\n     got: %s",
		f.File, f.Line, f.Case, short(f.Step), short(f.Expected), short(f.Got))
	if f.Difference != "" {
		s += "\n   since: " + short(f.Difference)
	}
	return s
}

// short cuts what nobody would read to the end.
func short(s string) string {
	const most = 2000
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:most], len(s))
}

// Run runs one case against a server. The error is a *Failure if the server
// did something else, ErrSkipped, or says why the case could not be run.
func Run(ctx context.Context, t Target, c Case) error {
	p := &player{ctx: ctx, testCase: &c, target: t, clients: make(map[string]*client)}
	p.config = Config{Apps: []App{t.App}}
	if c.Config != nil {
		if t.Start == nil {
			return ErrSkipped
		}
		started, stop, err := t.Start(ctx, *c.Config)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: start a server: %w", c.File, c.Line, c.Name, err)
		}
		defer stop()
		if started.Patience == 0 {
			started.Patience = t.Patience
		}
		p.target, p.config = started, *c.Config
	}
	if len(p.config.Apps[0].Keys) == 0 {
		return errors.New("the target has no app with a key")
	}
	transport := &http.Transport{DialContext: p.target.dial}
	p.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	defer transport.CloseIdleConnections()
	defer p.hangUp()
	return p.run()
}

// A player plays a case.
type player struct {
	ctx      context.Context
	testCase *Case
	target   Target
	config   Config // the apps of the server
	http     *http.Client

	at      *step              // what is being played; nil: the end
	clients map[string]*client // by name
	sorted  []*client          // in the order in which they connected
	crowd   []*client          // those of them that are told by their number alone
	answer  *httpAnswer        // to the last request
	again   func() error       // sends that again, if its answer may be behind; else nil
	asked   int                // counts the events that show a silence
}

func (p *player) run() error {
	for i := range p.testCase.steps {
		p.at = &p.testCase.steps[i]
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.at.play(p, p.at.below); err != nil {
			return err
		}
	}
	p.at = nil
	for _, c := range p.sorted {
		if c.gone {
			continue
		}
		if err := p.hearsNothing(c); err != nil {
			return err
		}
	}
	return nil
}

// hangUp takes all clients off their channels, where the next case shall find
// nobody, and ends their connections.
func (p *player) hangUp() {
	for _, c := range p.sorted {
		if !c.gone {
			for channel := range c.channels {
				p.sayEvent(c, protocol.EventUnsubscribe, map[string]string{"channel": channel})
			}
			_ = c.conn.send("close", normalClosure)
		}
	}
	for _, c := range p.crowd { // only as good as gone
		_ = c.conn.send("close", normalClosure)
	}
	for _, c := range p.sorted {
		c.conn.end(p.target.patience())
	}
}

// normalClosure is the payload of a close frame with the code 1000.
var normalClosure = []byte{0x03, 0xe8}

// fail returns a Failure of the step that is being played.
func (p *player) fail(expected, got string) error {
	f := &Failure{File: p.testCase.File, Line: p.testCase.Line, Case: p.testCase.Name, Expected: expected, Got: got}
	f.Step = "the end of the case, where nobody hears anything more"
	if p.at != nil {
		f.Line, f.Step = p.at.line, p.at.text
	}
	return f
}

func (p *player) failSince(expected, got, difference string) error {
	err := p.fail(expected, got)
	if f, ok := errors.AsType[*Failure](err); ok {
		f.Difference = difference
	}
	return err
}

// wrong says that the transcript itself is at fault.
func (p *player) wrong(err error) error {
	if err == nil {
		return nil
	}
	line := p.testCase.Line
	if p.at != nil {
		line = p.at.line
	}
	return &ParseError{p.testCase.File, line, err.Error()}
}

func (p *player) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func (p *player) settle() {
	if p.target.Settle != nil {
		p.target.Settle()
	}
}
