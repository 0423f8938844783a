package config

import (
	"cmp"
	"errors"
	"net"
	"reflect"
	"time"

	"github.com/caarlos0/env/v11"

	"hark/authz"
)

const ownPrefix = "HARK_"

// readEnvironment sets what variables say about the server. What they say about apps is for chooseApps.
func (l *loader) readEnvironment() {
	if address, from := l.borrowedListen(); address != "" {
		l.config.Listen, l.at["listen"] = address, from // HARK_LISTEN, below, goes before it
	}
	if path := l.options.Getenv("REVERB_SERVER_PATH"); path != "" {
		l.config.PathPrefix, l.at["path_prefix"] = path, "REVERB_SERVER_PATH"
	}
	names := map[string]string{} // variable -> key of the file
	variables := map[string]string{}
	for f := range reflect.TypeFor[Config]().Fields() {
		name := ownPrefix + f.Tag.Get("env")
		names[name] = keyOf(f)
		if text := l.options.Getenv(name); text != "" {
			variables[name] = text
		}
	}
	err := env.ParseWithOptions(&l.config, env.Options{
		Prefix:      ownPrefix,
		Environment: variables,
		OnSet: func(name string, _ any, _ bool) {
			if variables[name] != "" {
				l.at[names[name]] = name
			}
		},
		FuncMap: map[reflect.Type]env.ParserFunc{
			durationType: parseDuration,
			secretType:   func(text string) (any, error) { text, err := l.textOfFile(text); return authz.Secret(text), err },
			pemType:      func(text string) (any, error) { text, err := l.textOfFile(text); return PEM(text), err },
		},
	})
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		for _, err := range all.Errors {
			l.environmentProblem(err)
		}
	}
}

func parseDuration(text string) (any, error) {
	var d time.Duration
	err := setScalar(reflect.ValueOf(&d).Elem(), text, "")
	return d, err
}

// environmentProblem names the variable, where the library names the field of the struct.
func (l *loader) environmentProblem(err error) {
	wrong, ok := errors.AsType[env.ParseError](err)
	if !ok {
		l.problem("", "the environment cannot be read: %v", err)
		return
	}
	f, _ := reflect.TypeFor[Config]().FieldByName(wrong.Name)
	l.problem(ownPrefix+f.Tag.Get("env"), "%v", wrong.Err)
}

// borrowedListen returns the address that stands in the variables of others; "" if in none.
func (l *loader) borrowedListen() (address, from string) {
	anywhere := ""
	if l.options.Dev {
		anywhere = loopback // a port alone does not ask for the whole network
	}
	for _, v := range []struct{ host, port, defaultPort string }{
		{"", "PORT", ""},
		{"REVERB_SERVER_HOST", "REVERB_SERVER_PORT", "8080"},
		{"SOKETI_HOST", "SOKETI_PORT", defaultPort},
	} {
		host, port := l.options.Getenv(v.host), l.options.Getenv(v.port)
		switch {
		case port != "":
			return net.JoinHostPort(cmp.Or(host, anywhere), port), v.port
		case host != "":
			return net.JoinHostPort(host, v.defaultPort), v.host
		}
	}
	return "", ""
}
