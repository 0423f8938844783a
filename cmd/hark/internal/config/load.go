package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"hark/authz"
)

// Options are what the command line says. A zero field says nothing.
type Options struct {
	Dev    bool   // serve DevApp alone, and on a loopback address only
	File   string // "": HARK_CONFIG, or no file
	Listen string
	Log    string
	Redis  authz.Secret
	Drain  *time.Duration

	Getenv   func(name string) string          // nil: os.Getenv
	ReadFile func(name string) ([]byte, error) // nil: os.ReadFile
}

// ErrNoApp is the error of Load when there is no app to serve and nothing else is wrong.
var ErrNoApp = errors.New("no app to serve")

// Load puts a Config together. The error is ErrNoApp, with a Config that is complete but for its apps, or Problems.
func Load(o Options) (Config, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	l := &loader{options: o, config: Default(), at: map[string]string{}}
	if o.Dev {
		l.config.Listen = net.JoinHostPort(loopback, defaultPort)
		l.config.Drain = 0 // whoever tries it waits for nothing
	}
	l.readFile()
	l.readEnvironment()
	l.readFlags()
	l.chooseApps()
	l.check()
	switch {
	case len(l.problems) > 0:
		return Config{}, l.problems
	case len(l.config.Apps) == 0:
		return l.config, ErrNoApp
	}
	return l.config, nil
}

// A loader is a Config under construction.
type loader struct {
	options  Options
	config   Config
	at       map[string]string // where a value was set, by its path: "apps[0].id" -> "hark.yaml:3:9"
	problems Problems
}

func (l *loader) problem(at, format string, args ...any) {
	l.problems = append(l.problems, Problem{At: at, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) readFile() {
	name := l.options.File
	if name == "" {
		name = l.options.Getenv("HARK_CONFIG")
	}
	if name == "" {
		return
	}
	text, err := l.options.ReadFile(name)
	if err != nil {
		l.problem("", "the configuration cannot be read: %v", err)
		return
	}
	b := binder{loader: l, file: name}
	b.document(text)
}

// textOfFile reads what is given as file:///path, as container runtimes mount secrets.
func (l *loader) textOfFile(text string) (string, error) {
	name, ok := strings.CutPrefix(text, "file://")
	if !ok {
		return text, nil
	}
	content, err := l.options.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("the file cannot be read: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

func (l *loader) readFlags() {
	if l.options.Listen != "" {
		l.config.Listen, l.at["listen"] = l.options.Listen, "--listen"
	}
	if l.options.Log != "" {
		l.config.Log, l.at["log"] = l.options.Log, "--log"
	}
	if l.options.Redis != "" {
		l.config.Redis, l.at["redis"] = l.options.Redis, "--redis"
	}
	if l.options.Drain != nil {
		l.config.Drain, l.at["drain"] = *l.options.Drain, "--drain"
	}
}
