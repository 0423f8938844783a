package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// The members of an expected object that mean something else than they say.
const (
	dataAsJSON = "data as json"
	inAnyOrder = "in any order"
)

// parseJSON reads one JSON value: maps, slices, strings, json.Number, bool, nil.
// Unlike encoding/json it refuses a member that is there twice.
func parseJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the value")
	}
	return v, nil
}

// maxDepth bounds how deeply a server may nest what it sends.
const maxDepth = 1000

func parseValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	object := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name.(string)]; twice {
			return nil, fmt.Errorf("the member %q is there twice", name)
		}
		if object[name.(string)], err = parseValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return object, err
}

// match says where got is not what was wanted, or "". at is the way to both.
func match(want, got any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		if list, ok := want[inAnyOrder].([]any); ok && len(want) == 1 {
			return matchSet(list, got, at)
		}
		return matchObject(want, got, at)
	case []any:
		return matchList(want, got, at)
	case string:
		return matchString(want, got, at)
	}
	if want != got {
		return differs(want, got, at)
	}
	return ""
}

func matchObject(want map[string]any, got any, at string) string {
	object, ok := got.(map[string]any)
	if !ok {
		return differs(want, got, at)
	}
	if inner, ok := want[dataAsJSON]; ok {
		return matchInner(want, inner, object, at)
	}
	for name, w := range want {
		g, ok := object[name]
		if !ok {
			return fmt.Sprintf("%s%s is missing", at, name)
		}
		if s := match(w, g, at+name+"."); s != "" {
			return s
		}
	}
	for name := range object {
		if _, ok := want[name]; !ok {
			return fmt.Sprintf("%s%s is too much", at, name)
		}
	}
	return ""
}

// matchInner compares an object whose data is a string of JSON.
func matchInner(want map[string]any, inner any, object map[string]any, at string) string {
	text, ok := object["data"].(string)
	if !ok {
		return at + "data is no string"
	}
	data, err := parseJSON(text)
	if err != nil {
		return fmt.Sprintf("%sdata holds no JSON: %v", at, err)
	}
	if s := match(inner, data, at+"data."); s != "" {
		return s
	}
	rest := make(map[string]any, len(want))
	for name, w := range want {
		rest[name] = w
	}
	delete(rest, dataAsJSON)
	rest["data"] = anyText
	return matchObject(rest, object, at)
}

func matchList(want []any, got any, at string) string {
	list, ok := got.([]any)
	if !ok || len(list) != len(want) {
		return differs(want, got, at)
	}
	for i := range want {
		if s := match(want[i], list[i], fmt.Sprintf("%s%d.", at, i)); s != "" {
			return s
		}
	}
	return ""
}

// matchSet takes the first fit for each, which is right as long as wildcards do
// not overlap.
func matchSet(want []any, got any, at string) string {
	list, ok := got.([]any)
	if !ok || len(list) != len(want) {
		return differs(want, got, at)
	}
	left := slices.Clone(list)
	for _, w := range want {
		i := slices.IndexFunc(left, func(g any) bool { return match(w, g, "") == "" })
		if i < 0 {
			return differs(w, left, at)
		}
		left = slices.Delete(left, i, i+1)
	}
	return ""
}

func matchString(want string, got any, at string) string {
	switch n, isNumber := got.(json.Number); {
	case want == anyText:
		return ""
	case want == integer && isNumber && positive.MatchString(n.String()):
		return ""
	case want == integer:
		return differs(want, got, at)
	}
	text, ok := got.(string)
	if !ok || !matchText(want, text) {
		return differs(want, got, at)
	}
	return ""
}

var positive = regexp.MustCompile(`^[1-9][0-9]*$`)

// matchText compares a text with one that may have wildcards.
func matchText(want, got string) bool {
	if !strings.Contains(want, anyText) && !strings.Contains(want, integer) {
		return want == got
	}
	pattern := regexp.QuoteMeta(want)
	pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta(anyText), `(?s:.*)`)
	pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta(integer), `[0-9]+`)
	ok, err := regexp.MatchString("^(?:"+pattern+")$", got)
	return ok && err == nil
}

func differs(want, got any, at string) string {
	where := strings.TrimSuffix(at, ".")
	if where == "" {
		where = "the value"
	}
	return fmt.Sprintf("%s is %s, not %s", where, encode(got), encode(want))
}

// encode returns v's JSON, for people.
func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
