package conformance

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// A Transcript is one file: a rule, and the cases that show it.
type Transcript struct {
	File    string   // its name, for messages
	Prose   string   // what the rule is, and why
	Sources []string // where the rule comes from; at least one
	Cases   []Case   // at least one, with different names
}

// A Case is one conversation. It is not modified by running it, and may be run
// several times at once.
type Case struct {
	File string
	Line int // of its name
	Name string
	// Config is what the server must be configured as; nil: as it is.
	Config *Config

	steps []step
}

// A ParseError is a line that is no part of a transcript.
type ParseError struct {
	File string
	Line int // 0: the file as a whole
	Text string
}

// Error names the line.
func (e *ParseError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

//go:embed testdata/*.txt
var files embed.FS

// Transcripts returns the transcripts of this package, by file name.
func Transcripts() ([]Transcript, error) {
	entries, err := files.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	all := make([]Transcript, len(entries))
	for i, entry := range entries {
		f, err := files.Open(path.Join("testdata", entry.Name()))
		if err != nil {
			return nil, err
		}
		all[i], err = Parse("testdata/"+entry.Name(), f)
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Parse reads a transcript. file is its name in messages. The error is a
// *ParseError, or what r returned.
func Parse(file string, r io.Reader) (Transcript, error) {
	p := parser{Transcript: Transcript{File: file}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		p.line++
		if err := p.next(lines.Text()); err != nil {
			return Transcript{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return Transcript{}, fmt.Errorf("%s:%d: %w", file, p.line+1, err)
	}
	return p.Transcript, p.finish()
}

// maxLine bounds a line, in bytes.
const maxLine = 1 << 20

// A parser is a Transcript in the making.
type parser struct {
	Transcript
	line  int
	names map[string]bool // of cases
	scope scope           // of the case
}

func (p *parser) fail(format string, args ...any) error {
	return &ParseError{p.File, p.line, fmt.Sprintf(format, args...)}
}

// next takes a line in.
func (p *parser) next(line string) error {
	if !utf8.ValidString(line) {
		return p.fail("not UTF-8; bytes are written as in a Go string")
	}
	line = strings.TrimRight(line, " \t\r")
	if name, ok := strings.CutPrefix(line, "=="); ok && (name == "" || name[0] == ' ') {
		return p.begin(strings.TrimSpace(name))
	}
	if len(p.Cases) == 0 {
		return p.prose(line)
	}
	c := &p.Cases[len(p.Cases)-1]
	switch {
	case line == "", strings.HasPrefix(line, "#"):
		return nil
	case line[0] == ' ' || line[0] == '\t':
		if len(c.steps) == 0 {
			return p.fail("an indented line continues a step, and there is none")
		}
		if err := c.steps[len(c.steps)-1].resume(strings.TrimSpace(line)); err != nil {
			return p.fail("%v", err)
		}
		return nil
	case strings.HasPrefix(line, "app:") || strings.HasPrefix(line, "app "):
		if len(c.steps) > 0 {
			return p.fail("an app line comes before the steps")
		}
		return p.app(c, line)
	}
	s, err := p.scope.step(line)
	if err != nil {
		return p.fail("%v", err)
	}
	s.line = p.line
	c.steps = append(c.steps, s)
	return nil
}

// prose takes a line in that is before the first case.
func (p *parser) prose(line string) error {
	if source, ok := strings.CutPrefix(line, "source:"); ok {
		p.Sources = append(p.Sources, strings.TrimSpace(source))
		return nil
	}
	if line != "" || p.Prose != "" {
		p.Prose += line + "\n"
	}
	return nil
}

// begin begins a case.
func (p *parser) begin(name string) error {
	if p.Prose = strings.TrimSpace(p.Prose); p.Prose == "" {
		return p.fail("the first case comes after the rule, in prose")
	}
	if len(p.Sources) == 0 {
		return p.fail("the first case comes after the rule's source")
	}
	if name == "" || p.names[name] {
		return p.fail("a case needs a name of its own")
	}
	if p.names == nil {
		p.names = make(map[string]bool)
	}
	p.names[name] = true
	if err := p.endCase(); err != nil {
		return err
	}
	p.scope = scope{}
	p.Cases = append(p.Cases, Case{File: p.File, Line: p.line, Name: name})
	return nil
}

func (p *parser) app(c *Case, line string) error {
	if c.Config == nil {
		c.Config = new(Config)
	}
	if err := c.Config.add(line); err != nil {
		return p.fail("%v", err)
	}
	return nil
}

// endCase checks that the last case is complete.
func (p *parser) endCase() error {
	if n := len(p.Cases); n > 0 && len(p.Cases[n-1].steps) == 0 {
		return p.fail("the case before has no steps")
	}
	if p.scope.asked {
		return p.fail("the case before ends with a request, and its answer is not told")
	}
	return nil
}

func (p *parser) finish() error {
	if len(p.Cases) == 0 {
		return p.fail("there are no cases")
	}
	return p.endCase()
}
