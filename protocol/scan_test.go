package protocol_test

import (
	"strings"
	"testing"

	"hark/protocol"
)

// What is plain is scanned, so that it is fast; what is not is left to jsontext.
func TestScanMessage(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"a ping", `{"event":"pusher:ping","data":{}}`, true},
		{"a subscription", `{"event":"pusher:subscribe","data":{"channel":"presence-a","channel_data":"{\"user_id\":\"1\"}"}}`, true},
		{"a client event", `{"event":"client-a","data":[1,-0.50,true,false,null,{"a":{"b":[]}},"c"],"channel":"x"}`, true},
		{"escapes of two characters", `{"event":"client-a","channel":"private-a","data":"\"\\\/\b\f\n\r\t"}`, true},
		{"no data", `{"event":"a"}`, true},
		{"as deep as goes", `{"event":"a","data":` + strings.Repeat("[", 8) + "1" + strings.Repeat("]", 8) + `}`, true},
		{"deeper", `{"event":"a","data":` + strings.Repeat("[", 9) + "1" + strings.Repeat("]", 9) + `}`, false},
		{"eight names", `{"event":"a","data":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1}}`, true},
		{"nine names", `{"event":"a","data":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1}}`, false},
		{"a name twice", `{"event":"a","data":{"1":1,"2":1,"1":1}}`, false},
		{"an event twice", `{"event":"a","event":"a"}`, false},
		{"data twice, the first empty", `{"data":"","event":"a","data":""}`, false},
		{"an escaped name", `{"event":"a","data":{"\n":1}}`, false},
		{"an escaped event", `{"event":"\n"}`, false},
		{"an escape of six characters", `{"event":"a","data":"\u0041"}`, false},
		{"an escape that there is not", `{"event":"a","data":"\5"}`, false},
		{"half an escape", `{"event":"a","data":"\`, false},
		{"white space", `{"event": "a"}`, false},
		{"not ASCII", `{"event":"ä"}`, false},
		{"an exponent", `{"event":"a","data":1e3}`, false},
		{"a number that begins with 0", `{"event":"a","data":01}`, false},
		{"half a number", `{"event":"a","data":-}`, false},
		{"a number that ends with a point", `{"event":"a","data":1.}`, false},
		{"a user id", `{"event":"a","user_id":"1"}`, false},
		{"something behind it", `{"event":"a"} `, false},
		{"no event", `{"data":1}`, false},
		{"an event of another kind", `{"event":1}`, false},
		{"a list that ends with a comma", `{"event":"a","data":[1,]}`, false},
		{"an object that ends with a comma", `{"event":"a",}`, false},
		{"a comma first", `{,"event":"a"}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, ok := protocol.ScanMessage([]byte(test.text)); ok != test.want {
				t.Errorf("scanned: %t, want %t", ok, test.want)
			}
			sameAsParsed(t, []byte(test.text))
		})
	}
}

// sameAsParsed checks that what a scan takes is what all messages are read by otherwise.
func sameAsParsed(t *testing.T, b []byte) {
	t.Helper()
	m, ok := protocol.ScanMessage(b)
	if !ok {
		if m != (protocol.Message{}) {
			t.Fatalf("%q is not scanned, but is %+v", b, m)
		}
		return
	}
	if want, err := protocol.ParseMessage(b); m != want || err != nil {
		t.Fatalf("%q is scanned as %+v, and read as %+v, %v", b, m, want, err)
	}
}

// FuzzScanMessage: a scan takes nothing that is not valid, and reads nothing in another way.
func FuzzScanMessage(f *testing.F) {
	for _, s := range []string{
		`{"event":"client-a","channel":"private-a","data":"{\"on\":true}"}`,
		`{"data":{"a":[1,-2.5,true,null,{"b":""}]},"event":"e"}`,
		`{"event":"e","data":"\u0041\5"}`, `{"event":"e","data":[[[[[[[[[[1]]]]]]]]]]}`, `{"event":"e","data":-01.}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(sameAsParsed)
}
