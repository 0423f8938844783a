package config

import (
	"reflect"
	"strings"
	"unicode"
)

// fields are the keys that a struct has in the file.
type fields struct {
	names []string // in the order of the struct
	index map[string][]int
}

// fieldsOf returns the keys of a struct: the yaml tags, and where there is none the name in snake case, so that every
// field of protocol.Limits has one. The keys of an embedded struct stand among those of the one around it.
func fieldsOf(t reflect.Type) fields {
	f := fields{index: map[string][]int{}}
	for _, field := range reflect.VisibleFields(t) {
		if name := keyOf(field); name != "" && !field.Anonymous {
			f.names = append(f.names, name)
			f.index[name] = field.Index
		}
	}
	return f
}

func keyOf(f reflect.StructField) string {
	switch name, ok := f.Tag.Lookup("yaml"); {
	case !ok:
		return snake(f.Name)
	case name == "-":
		return ""
	default:
		return name
	}
}

// snake returns EventData as event_data and RESTBody as rest_body.
func snake(name string) string {
	var out strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		begins := i > 0 && upper && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
