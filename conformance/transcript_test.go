package conformance_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"hark/conformance"
	"hark/conformance/local"
)

const head = "A rule.\n\nsource: a page\n\n== a case\n"

func TestParse(t *testing.T) {
	got, err := conformance.Parse("x.txt", strings.NewReader("A rule,\nand why.\n\nsource: a page\nsource: an SDK\n\n"+
		"== one\n# why\nconnect a\na hears nothing\n\n== two\napp: limits.members=2\nopen a /\na closed 4005|dropped\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Prose != "A rule,\nand why." || len(got.Sources) != 2 || len(got.Cases) != 2 {
		t.Errorf("got %+v", got)
	}
	if c := got.Cases[1]; c.Name != "two" || c.Line != 12 || c.Config == nil || c.Config.Apps[0].Limits.Members != 2 {
		t.Errorf("the second case is %+v", c)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "x.txt:0: there are no cases"},
		{"no rule", "source: a page\n== a case\nwait 1s\n", "x.txt:2: the first case comes after the rule"},
		{"no source", "A rule.\n== a case\nwait 1s\n", "x.txt:2: the first case comes after the rule's source"},
		{"no name", "A rule.\n\nsource: a page\n\n==\nwait 1s\n", "x.txt:5: a case needs a name of its own"},
		{"no steps", head, "x.txt:5: the case before has no steps"},
		{"twice", head + "wait 1s\n== a case\nwait 1s\n", "x.txt:7: a case needs a name of its own"},
		{"unknown step", head + "jump\n", `x.txt:6: neither a step nor a client`},
		{"unknown client", head + "connect a\nb > {}\n", `x.txt:7: neither a step nor a client`},
		{"unknown verb", head + "connect a\na sings\n", `x.txt:7: a client does not do "sings"`},
		{"unknown placeholder", head + "connect a\na > {nonsense}\n", "there is no placeholder {nonsense}"},
		{"unclosed placeholder", head + "connect a\na > {repeat 3 x\n", "this has no end"},
		{"huge placeholder", head + "connect a\na > {repeat 99999999 x}\n", "this is {repeat NUMBER TEXT}"},
		{"unknown setting", head + "app: magic=on\nwait 1s\n", `there is no setting "magic"`},
		{"late setting", head + "wait 1s\napp: disabled=on\n", "an app line comes before the steps"},
		{"no answer", head + "GET /channels\nwait 1s\n", "a request is followed by its answer"},
		{"no answer at the end", head + "GET /channels\n", "ends with a request"},
		{"no answer before another case", head + "GET /channels\n== another\nwait 1s\n", "x.txt:7: the case before ends with a request"},
		{"no request", head + "-> 200\n", "a request is followed by its answer"},
		{"no code", head + "connect a\na closed early\n", `"early" is no code`},
		{"a server that begins", head + "server starts\n", `this is "server ends"`},
		{"a crowd on no channel", head + "crowd 3 joins  as {}\n", `this is "crowd NUMBER joins CHANNEL"`},
		{"capitals of nothing", head + "connect a\na > {capitals a}\n", "this is {capitals CLIENT CHANNEL}"},
		{"continued", head + "wait 1s\n  more\n", "this step is not continued"},
		{"not UTF-8", head + "connect a\na > \xff\n", "not UTF-8"},
	} {
		_, err := conformance.Parse("x.txt", strings.NewReader(c.text))
		if _, ok := errors.AsType[*conformance.ParseError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A suite that never says no says nothing: each of these is wrong about the
// server, and has to be found so.
func TestFailures(t *testing.T) {
	const success = `{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}`
	for _, c := range []struct{ name, steps, want string }{
		{"another message", "connect a\na > {}\na gets error null No\n",
			"x.txt:8: a case\n    step: a gets error null No\n" +
				`expected: {"event":"pusher:error","data":{"code":null,"message":"No"}}` + "\n" +
				`     got: {"event":"pusher:error","data":{"code":null,"message":"Received invalid JSON"}}` + "\n" +
				`   since: data.message is "Received invalid JSON", not "No"`},
		{"silence", "connect a\na < {}\n", "got: nothing"},
		{"a message at the end", "connect a\na subscribes x\n", "step: the end of the case"},
		{"a message before", "connect a\na joins x\nPOST /events {\"name\":\"e\",\"channel\":\"x\",\"data\":\"y\"}\n-> 200\na hears nothing\n",
			`got: {"event":"e","channel":"x","data":"y"}`},
		{"a message for another", "connect a\nconnect b\na joins x\nb joins x\nPOST /events {\"name\":\"e\",\"channel\":\"x\",\"data\":\"y\"}\n-> 200\n" +
			"a < {\"event\":\"e\",\"channel\":\"x\",\"data\":\"y\"}\n", "step: the end of the case"},
		{"a member too much", "connect a\na subscribes x\na < {\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"x\"}\n",
			"data is too much"},
		{"a member too few", "connect a\na subscribes x\na < {\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"x\",\"data\":\"{}\",\"y\":1}\n",
			"y is missing"},
		{"an object for a string", "connect a\na subscribes x\na < {\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"x\",\"data\":{}}\n",
			`data is "{}", not {}`},
		{"a close that nobody expects", "connect a\na sends binary \"x\"\n", "got: closed 1003"},
		{"a close with another code", "connect a\na sends binary \"x\"\na closed 1009\n", "got: closed 1003"},
		{"no close", "connect a\na closed 4000\n", "got: nothing"},
		{"no refusal", "connect a\na subscribes x\na refused x AuthError 401 No\n", "got: " + success},
		{"another type of refusal", "connect a\na subscribes a:b\na refused a:b AuthError 401 {any}\n", `got: {"event":"pusher:subscription_error"`},
		{"another status", "GET /channels\n-> 404\n", "got: 200"},
		{"another text", "unsigned GET /apps/{app}/channels\n-> 401 No\n", "got: 401 Missing parameter: auth_key"},
		{"another answer", "GET /channels\n-> 200 {\"channels\":{\"x\":{}}}\n", "channels.x is missing"},
		{"another header", "GET /channels\n-> 200\n  Content-Type: text/html\n", "got: Content-Type: application/json"},
		{"a pong too much", "connect a\na > {\"event\":\"pusher:ping\"}\na hears nothing\n", `got: {"event":"pusher:pong"`},
		{"a noise", "connect a\na hears nothing for activity+1s\n", `got: {"event":"pusher:ping"`},
		{"no websocket", "open a /%zz\n", "expected: a websocket"},
	} {
		transcript, err := conformance.Parse("x.txt", strings.NewReader(head+c.steps))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		synctest.Test(t, func(t *testing.T) {
			err := play(t, transcript.Cases[0], nil).Err
			if _, ok := errors.AsType[*conformance.Failure](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		})
	}
}

// What is wrong with a transcript is no failure of the server's.
func TestFaultyCase(t *testing.T) {
	for _, steps := range []string{
		"open a /\na > {a.id}\n",
		"connect a\na < {\n",
		"connect a\na > {pad 3 x}1234\n",
		"connect a to nobody\n",
		"connect a\na > {key7}\n",
	} {
		transcript, err := conformance.Parse("x.txt", strings.NewReader(head+steps))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			err := play(t, transcript.Cases[0], nil).Err
			if _, ok := errors.AsType[*conformance.ParseError](err); !ok {
				t.Errorf("%q: %v, want a ParseError", steps, err)
			}
		})
	}
}

func TestSkipped(t *testing.T) {
	transcript, err := conformance.Parse("x.txt", strings.NewReader(head+"app: disabled=on\nwait 1s\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = conformance.Run(t.Context(), conformance.Target{App: local.StandardApp()}, transcript.Cases[0])
	if !errors.Is(err, conformance.ErrSkipped) {
		t.Errorf("got %v, want ErrSkipped", err)
	}
}

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatal("no transcripts: ", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(head + "connect a\na > {auth a x}{repeat 2 {}}{pad 9 x}\na closed 1|dropped \"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := conformance.Parse("x.txt", strings.NewReader(text))
		if err == nil && (len(got.Cases) == 0 || len(got.Sources) == 0 || got.Prose == "") {
			t.Errorf("%q is a transcript without a rule, a source or a case", text)
		}
	})
}
