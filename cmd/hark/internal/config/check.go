package config

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
)

const loopback = "127.0.0.1"

// validate knows the validate tags, Hark's own among them.
var validate = newValidate()

// namePattern is what may be part of a URL's path as it is. A colon would end a key in an auth.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9._~=@,;-]+$`)

func newValidate() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(keyOf)
	for tag, valid := range map[string]func(reflect.Value) bool{
		"hostport": func(f reflect.Value) bool { return isHostPort(f.String()) },
		"prefix":   func(f reflect.Value) bool { return strings.HasPrefix(f.String(), "/") },
		"name":     func(f reflect.Value) bool { return namePattern.MatchString(f.String()) },
		"segment":  func(f reflect.Value) bool { return f.String() != "." && f.String() != ".." },
		"seconds":  func(f reflect.Value) bool { return time.Duration(f.Int())%time.Second == 0 },
	} {
		if err := v.RegisterValidation(tag, func(l validator.FieldLevel) bool { return valid(l.Field()) }); err != nil {
			panic(err) // a tag without a name
		}
	}
	return v
}

func isHostPort(s string) bool {
	_, port, err := net.SplitHostPort(s)
	n, notNumber := strconv.Atoi(port)
	return err == nil && notNumber == nil && n >= 0 && n <= 65535
}

// check looks at the whole, wherever its parts came from.
func (l *loader) check() {
	l.config.PathPrefix = strings.TrimRight(l.config.PathPrefix, "/")
	l.config.Sources.Listen = l.at["listen"]
	l.defaultAuth()
	if wrong, ok := errors.AsType[validator.ValidationErrors](validate.Struct(l.config)); ok {
		for _, field := range wrong {
			l.broken(field)
		}
	}
	l.checkRedis()
	l.checkUnique()
	for i := range l.config.Apps {
		l.checkAccess(i)
		l.checkPolicies(i)
	}
	l.checkAuthPaths()
	if l.options.Dev && isHostPort(l.config.Listen) {
		l.checkLoopback()
	}
}

// broken says which rule a value breaks.
func (l *loader) broken(field validator.FieldError) {
	_, path, _ := strings.Cut(field.Namespace(), ".")
	l.wrong(path, "%s", explain(field))
}

// wrong says what is wrong with the value at path: the text goes on where the path has been said. Where a value was given
// that is no text, like a missing one, the place is that of the nearest thing around it.
func (l *loader) wrong(path, format string, args ...any) {
	at := l.around(path)
	if l.at[path] != "" && l.already(at) {
		return // it could not be read, and so it has not been set
	}
	l.problem(at, "%s %s", path, fmt.Sprintf(format, args...))
}

// around returns the place of the value at path, or of the nearest thing around it.
func (l *loader) around(path string) string {
	for l.at[path] == "" && path != "" {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return l.at[path]
}

// already reports whether something is known to be wrong there.
func (l *loader) already(at string) bool {
	for _, p := range l.problems {
		if p.At == at {
			return true
		}
	}
	return false
}

func explain(field validator.FieldError) string {
	switch field.Tag() {
	case "required":
		return "is missing"
	case "hostport":
		return fmt.Sprintf("must be host:port like 127.0.0.1:%s or :%s, not %q", defaultPort, defaultPort, field.Value())
	case "prefix":
		return fmt.Sprintf("must begin with a slash, as in /realtime, not %q", field.Value())
	case "oneof":
		return fmt.Sprintf("must be one of %s, not %q", strings.ReplaceAll(field.Param(), " ", ", "), field.Value())
	case "name":
		return fmt.Sprintf("may have letters, digits and the characters . _ ~ = @ , ; -, which %q breaks", field.Value())
	case "segment":
		return fmt.Sprintf("is part of a URL's path, where %q stands for another place; choose another", field.Value())
	case "seconds":
		return fmt.Sprintf("must be whole seconds, not %v", field.Value())
	case "min":
		if field.Kind() == reflect.Slice {
			return "is missing: give at least one"
		}
		return fmt.Sprintf("must be at least %s, not %v", field.Param(), field.Value())
	case "max":
		return fmt.Sprintf("must be at most %s, not %v", field.Param(), field.Value())
	}
	return "is not valid"
}

// checkUnique finds ids and keys that two apps have: neither could say which of them is meant.
func (l *loader) checkUnique() {
	ids, keys := map[string]string{}, map[string]string{}
	for i, app := range l.config.Apps {
		at := element("apps", i)
		l.once(ids, app.ID, "id", at+".id")
		for j, alias := range app.Aliases {
			l.once(ids, alias, "id", element(at+".aliases", j))
		}
		for j, key := range app.Keys {
			l.once(keys, key.Key, "key", element(at+".keys", j)+".key")
			if !l.options.Dev && key.Secret == DevApp().Keys[0].Secret {
				l.problem(l.secretAt(i, j), "everybody knows the secret of serve --dev; give app %q one of its own", app.ID)
			}
		}
	}
}

// secretAt says where the secret of a key came from.
func (l *loader) secretAt(app, key int) string {
	if at := l.at[element(element("apps", app)+".keys", key)+".secret"]; at != "" {
		return at
	}
	if app < len(l.config.Sources.Apps) {
		return l.config.Sources.Apps[app]
	}
	return ""
}

func (l *loader) once(seen map[string]string, name, what, path string) {
	at := l.at[path]
	if first, twice := seen[name]; twice && name != "" {
		l.problem(at, "the %s %q is taken (%s)", what, name, first)
		return
	}
	seen[name] = at
}

// checkLoopback refuses to let the network in where the secret is known to everybody.
func (l *loader) checkLoopback() {
	address, err := net.ResolveTCPAddr("tcp", l.config.Listen)
	if err == nil && address.IP.IsLoopback() {
		return
	}
	_, port, _ := net.SplitHostPort(l.config.Listen)
	l.problem(l.at["listen"], "%s can be reached from other machines, and --dev serves an app whose secret everybody knows; "+
		"use %s, or leave out --dev and give it an app of its own", l.config.Listen, net.JoinHostPort(loopback, port))
}
