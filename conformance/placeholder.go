package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxExpanded bounds a text with its placeholders filled in, in bytes.
const maxExpanded = 4 << 20

// The wildcards of what is expected. They stay where they are until they are
// compared.
const (
	anyText = "{any}"
	integer = "{integer}"
)

// A placeholder is what stands between braces: {word args}.
type placeholder struct {
	word string   // key, app, auth, repeat, pad, id, …
	name string   // the client, or app, before the dot; "" for none
	args []string // after the word
	n    int      // of repeat and pad
}

// eachPlaceholder replaces the placeholders of s by what fill returns. Only a
// brace with a small letter after it begins one, so JSON has none.
func eachPlaceholder(s string, fill func(placeholder) (string, error)) (string, error) {
	var b strings.Builder
	for {
		start := strings.IndexByte(s, '{')
		for start >= 0 && (start+1 == len(s) || s[start+1] < 'a' || s[start+1] > 'z') {
			next := strings.IndexByte(s[start+1:], '{')
			if next < 0 {
				start = -1
				break
			}
			start += 1 + next
		}
		if start < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		end := closing(s[start:])
		if end < 0 {
			return "", fmt.Errorf("this has no end: %s", s[start:])
		}
		text := s[start : start+end]
		b.WriteString(s[:start])
		s = s[start+end:]
		if text == anyText || text == integer {
			b.WriteString(text)
			continue
		}
		ph, err := parsePlaceholder(text[1 : len(text)-1])
		if err != nil {
			return "", err
		}
		filled, err := fill(ph)
		if err != nil {
			return "", err
		}
		if b.Len()+len(filled) > maxExpanded {
			return "", fmt.Errorf("this becomes longer than %d bytes: %s", maxExpanded, text)
		}
		b.WriteString(filled)
	}
}

// closing returns where the brace that s begins with is closed, or -1.
func closing(s string) int {
	open := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func parsePlaceholder(text string) (placeholder, error) {
	word, rest, _ := strings.Cut(text, " ")
	ph := placeholder{word: word}
	switch word {
	case "repeat", "pad":
		number, what, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n > maxExpanded || what == "" {
			return ph, fmt.Errorf("this is {%s NUMBER TEXT}, not {%s}", word, text)
		}
		ph.n, ph.args = n, []string{what}
		return ph, nil
	case "auth", "capitals":
		if ph.args = strings.Fields(rest); len(ph.args) == 2 || len(ph.args) == 3 {
			return ph, nil
		}
		return ph, fmt.Errorf("this is {%s CLIENT CHANNEL}, and maybe the name of a key", word)
	}
	if rest != "" {
		return ph, fmt.Errorf("there is no placeholder {%s}", text)
	}
	if name, word, ok := strings.Cut(word, "."); ok {
		ph.name, ph.word = name, word
	}
	switch {
	case ph.word == "id" && ph.name != "", ph.word == "app", isKeyWord(ph.word):
		return ph, nil
	}
	return ph, fmt.Errorf("there is no placeholder {%s}", text)
}

// isKeyWord reports whether s is key, or key and a digit.
func isKeyWord(s string) bool {
	digit, ok := strings.CutPrefix(s, "key")
	return ok && (digit == "" || len(digit) == 1 && digit >= "1" && digit <= "9")
}

// checkPlaceholders says what is wrong with the placeholders of a text.
func checkPlaceholders(s string) error {
	_, err := eachPlaceholder(s, func(placeholder) (string, error) { return "", nil })
	return err
}

// expand fills in the placeholders of s.
func (p *player) expand(s string) (string, error) {
	var padding *placeholder
	s, err := eachPlaceholder(s, func(ph placeholder) (string, error) {
		if ph.word != "pad" {
			return p.fill(ph)
		}
		if padding != nil {
			return "", errors.New("a text can be padded once")
		}
		padding = &ph
		return padMark, nil
	})
	if err != nil || padding == nil {
		return s, p.wrong(err)
	}
	missing := padding.n - (len(s) - len(padMark))
	if missing < 0 {
		return "", p.wrong(fmt.Errorf("this has %d bytes without the padding", padding.n-missing))
	}
	return strings.Replace(s, padMark, strings.Repeat(padding.args[0], missing), 1), nil
}

// padMark keeps the place of the padding until the rest is known.
const padMark = "\x00pad\x00"

func (p *player) fill(ph placeholder) (string, error) {
	switch ph.word {
	case "repeat":
		if ph.n*len(ph.args[0]) > maxExpanded {
			return "", fmt.Errorf("%d times this is too long: %s", ph.n, ph.args[0])
		}
		var b strings.Builder
		for i := range ph.n {
			b.WriteString(strings.ReplaceAll(ph.args[0], "#", strconv.Itoa(i+1)))
		}
		return b.String(), nil
	case "auth", "capitals":
		c := p.clients[ph.args[0]]
		if c == nil {
			return "", fmt.Errorf("no client %s is connected", ph.args[0])
		}
		key := c.app.Keys[0]
		if len(ph.args) == 3 {
			var err error
			if key, err = p.key(ph.args[2]); err != nil {
				return "", err
			}
		}
		auth := key.channelAuth(c.id, ph.args[1], "", false)
		if ph.word == "capitals" {
			auth = key.Key + strings.ToUpper(strings.TrimPrefix(auth, key.Key))
		}
		return auth, nil
	case "id":
		c := p.clients[ph.name]
		if c == nil || c.id == "" {
			return "", fmt.Errorf("%s has no socket id", ph.name)
		}
		return c.id, nil
	case "app":
		a := p.config.app(ph.name)
		if a == nil {
			return "", fmt.Errorf("there is no app %s", ph.name)
		}
		return a.ID, nil
	}
	word := ph.word
	if ph.name != "" {
		word = ph.name + "." + word
	}
	key, err := p.key(word)
	return key.Key, err
}

// key returns the key of that name: key, key2, other.key.
func (p *player) key(name string) (Key, error) {
	app, word, ok := strings.Cut(name, ".")
	if !ok {
		app, word = "", name
	}
	a := p.config.app(app)
	if a == nil || !isKeyWord(word) {
		return Key{}, fmt.Errorf("there is no key %s", name)
	}
	n := 1
	if digit := strings.TrimPrefix(word, "key"); digit != "" {
		n = int(digit[0] - '0')
	}
	if n > len(a.Keys) {
		return Key{}, fmt.Errorf("there is no key %s", name)
	}
	return a.Keys[n-1], nil
}
