package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"hark/authz"
)

// A binder sets fields from the nodes of a YAML document and notes where each came from. It does what the library's own
// decoder does, but goes on after a mistake and says where it is.
type binder struct {
	*loader
	file string
}

// document reads the one document of a file. A file with only comments says nothing.
func (b *binder) document(text []byte) {
	documents, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		b.syntax(err)
		return
	}
	var doc, second yaml.Node
	switch err := documents.Load(&doc); {
	case errors.Is(err, io.EOF):
		return
	case err != nil:
		b.syntax(err)
		return
	}
	switch err := documents.Load(&second); {
	case err == nil:
		b.problem(b.where(&second), "a second document begins here; put all into one")
	case !errors.Is(err, io.EOF):
		b.syntax(err)
	}
	for _, content := range doc.Content {
		b.bind(content, reflect.ValueOf(&b.config).Elem(), "")
	}
}

func (b *binder) syntax(err error) {
	at, text := b.file, err.Error()
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		if e.Mark.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", b.file, e.Mark.Line, e.Mark.Column)
		}
		text = e.Message
		if e.ContextMsg != "" {
			text = e.ContextMsg + ": " + text
		}
	}
	b.problem(at, "not valid YAML: %s", strings.TrimPrefix(text, "yaml: "))
}

func (b *binder) where(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", b.file, n.Line, n.Column) }

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[authz.Secret]()
	pemType      = reflect.TypeFor[PEM]()
	askedType    = reflect.TypeFor[Asked]()
)

// bind sets v, which stands at path, to what n says. v's type has no cycles, so that an alias inside of its own anchor
// ends where the type does.
func (b *binder) bind(n *yaml.Node, v reflect.Value, path string) {
	b.at[path] = b.where(n)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch kind := v.Kind(); {
	case kind == reflect.Struct:
		b.bindStruct(n, v, path)
	case kind == reflect.Slice:
		b.bindSlice(n, v, path)
	case n.Tag == "!!null":
		b.problem(b.at[path], "there is no value; write one or remove the line")
	case kind == reflect.Pointer:
		b.bindPointer(n, v, path)
	case n.Kind != yaml.ScalarNode:
		b.problem(b.at[path], "want %s, not %s", wanted(v), kindName(n))
	default:
		b.bindScalar(n, v, path)
	}
}

func (b *binder) bindStruct(n *yaml.Node, v reflect.Value, path string) {
	if n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		b.problem(b.where(n), "want keys with values, not %s", kindName(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			b.problem(b.where(key), "a key must be a word")
			continue
		}
		index, known := fields.index[key.Value]
		switch first := seen[key.Value]; {
		case !known:
			b.problem(b.where(key), "unknown key %q (%s)", key.Value, instead(key.Value, fields.names))
			continue
		case first > 0:
			b.problem(b.where(key), "%q is here twice, first on line %d", key.Value, first)
			continue
		}
		seen[key.Value] = key.Line
		b.bind(value, v.FieldByIndex(index), join(path, key.Value))
	}
}

// bindPointer sets v to a new value, which has its defaults until n says otherwise: what is not in the file stays nil.
func (b *binder) bindPointer(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.New(v.Type().Elem()))
	if d, ok := v.Interface().(interface{ setDefaults() }); ok {
		d.setDefaults()
	}
	b.bind(n, v.Elem(), path)
}

// bindSlice takes a key without a value for an empty list, which may mean something else than no key.
func (b *binder) bindSlice(n *yaml.Node, v reflect.Value, path string) {
	if n.Tag == "!!null" {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return
	}
	if n.Kind != yaml.SequenceNode {
		b.problem(b.where(n), "want a list, not %s", kindName(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		b.bind(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (b *binder) bindScalar(n *yaml.Node, v reflect.Value, path string) {
	text, err := b.expand(n.Value)
	if err == nil && (v.Type() == secretType || v.Type() == pemType) {
		text, err = b.textOfFile(text)
	}
	if err == nil {
		err = setScalar(v, text, n.Tag)
	}
	if err != nil {
		b.problem(b.at[path], "%v", err)
	}
}

// setScalar sets v to what text says. tag is the type that YAML takes a text for; only text wants to know it.
func setScalar(v reflect.Value, text, tag string) error {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("want %s, not %q", wanted(v), text)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want %s, not %q", wanted(v), text)
		}
		v.SetInt(int64(i))
	case v.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("want %s, not %q", wanted(v), text)
		}
		v.SetFloat(f)
	case v.Kind() == reflect.Bool:
		on, ok := map[string]bool{"true": true, "false": false}[text]
		if !ok {
			return fmt.Errorf("want %s, not %q", wanted(v), text)
		}
		v.SetBool(on)
	case tag == "!!bool" && v.Type() != askedType:
		return errors.New("want text; put quotes around it if that is what it is")
	default:
		v.SetString(text) // an id of 1001 or 007 is those characters, not a number
	}
	return nil
}

// expand puts the values of variables in place of ${NAME}.
func (b *binder) expand(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("${ has no } after it")
		}
		value := b.options.Getenv(name)
		if value == "" {
			return "", fmt.Errorf("the variable %s is not set", name)
		}
		out.WriteString(value)
		text = after
	}
}

func wanted(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return "a duration like 30s"
	case v.Kind() == reflect.Int:
		return "a whole number"
	case v.Kind() == reflect.Float64:
		return "a number like 1.5"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.Type() == askedType:
		return "true or a URL"
	}
	return "text"
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
