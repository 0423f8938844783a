package authz_test

import (
	"strings"
	"testing"
)

// What was sent and what should have been signed are shown as Ruby's String#inspect shows them. The right-hand side is
// the output of Ruby 3.1; Go's escapes stand for what is invisible.
func TestTextsAreQuotedAsInRuby(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sent, want string }{
		{"empty", "", `""`},
		{"plain", "asdf", `"asdf"`},
		{"quotes and newlines", "a%0Ab%0D%09%22q%22%5C", `"a\nb\r\t\"q\"\\"`},
		{"interpolation", "%23%7By%7D%20%23%24z%20%23%40w%20%23%20%23x%20%23", `"\#{y} \#$z \#@w # #x #"`},
		{"controls", "%07%08%0B%0C%1B%00%01%7F", `"\a\b\v\f\e\u0000\u0001\u007F"`},
		{"beyond ASCII", "%C3%A9%F0%9F%8E%88%C3%BC%C2%A0", `"é🎈ü` + "\u00a0" + `"`},
		{"not printable", "%E2%80%A8%F4%8F%BF%BF", `"\u2028\u{10FFFF}"`},
		{"not UTF-8", "x%FFy%C3", `"x\xFFy\xC3"`},
		{"printable to Ruby", "%E2%80%8B%EE%80%80%EF%BF%BD", `"` + "\u200b\ue000\ufffd" + `"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := get(common, common)
			r.RawQuery = common + "&auth_signature=" + tt.sent
			_, err := both.VerifyREST(r, now)
			if err == nil || !strings.HasSuffix(err.Error(), ", but you sent "+tt.want) {
				t.Errorf("sent %s: %v, want it to end in %s", tt.sent, err, tt.want)
			}
		})
	}
}
