package ws_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"hark/channels"
	"hark/channels/ws"
	"hark/protocol"
)

// notPlayed are the cases of Autobahn that ask for what Hark does not do; "*" is
// what remains of a name.
var notPlayed = []struct{ cases, why string }{
	{"1.2.*", "binary messages are refused with 1003, see TestRejected"},
	{"9.2.*", "binary messages"},
	{"9.4.*", "binary messages"},
	{"9.6.*", "binary messages"},
	{"9.8.*", "binary messages"},
	{"12.*", "compression is not offered"},
	{"13.*", "compression"},
}

// autobahnCases is how many cases of Autobahn 25.10.1 are left.
const autobahnCases = 266

// lateUTF8 begins the names of the cases that are passed, but not strictly: they
// send what is not UTF-8 in the middle of a message and hope to be closed at once.
// Hark closes at the end of the message, as the socket judges it whole.
const lateUTF8 = "6.4."

// TestAutobahn has the fuzzing client of Autobahn judge an echo: frames, masks and
// fragments, control frames between and inside of messages, UTF-8, every Close,
// and messages of up to 16 MiB through small buffers.
func TestAutobahn(t *testing.T) {
	client := os.Getenv("HARK_AUTOBAHN")
	if client == "" {
		t.Skip("HARK_AUTOBAHN does not name the client, which is kosoku: make autobahn installs it and runs this test")
	}
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			ln, dial := listenTCP(t)
			s := unserved(t, dial)
			s.ParkAfter = mode.parkAfter
			s.admit = func(c channels.Conn) ws.Socket { return echo{c} }
			serve(t, ln, s)
			judge(t, playAutobahn(t, client, "ws://"+ln.Addr().String()+"/app/key"))
		})
	}
}

// An echo is a socket that sends back what it receives. It is as strict with UTF-8
// as channels.Socket.
type echo struct{ channels.Conn }

func (e echo) Receive(b []byte) {
	if !utf8.Valid(b) {
		e.Close(protocol.CloseInvalidPayload, "")
		return
	}
	ws.SendText(e.Conn, b) // which fails where the client has gone
}

func (e echo) ReceiveMore(b []byte) { e.Receive(b) }
func (e echo) Alive()               {}
func (e echo) End()                 {}
func (e echo) MessageLimit() int    { return math.MaxInt }

// playAutobahn has client play the cases against url, and returns the directory of
// its reports.
func playAutobahn(t *testing.T, client, url string) string {
	t.Helper()
	dir := t.ArtifactDir()
	args := []string{"--mode", "fuzzingclient", "--outdir", dir}
	for _, n := range notPlayed {
		args = append(args, "--exclude", n.cases)
	}
	out, err := exec.CommandContext(t.Context(), client, append(args, url)...).CombinedOutput()
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		t.Fatalf("HARK_AUTOBAHN: %v", err)
	}
	if _, missing := os.Stat(filepath.Join(dir, "index.json")); missing != nil {
		t.Fatalf("%s made no report (%v): %s", client, err, out)
	}
	return dir // whether a case failed, which the status says too, is there
}

// A verdict is what the index of the reports says of one case.
type verdict struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"` // of the end of the connection
	Report        string `json:"reportfile"`
}

func (v verdict) passed(name string) bool {
	behavior := v.Behavior == "OK" || v.Behavior == "INFORMATIONAL" ||
		v.Behavior == "NON-STRICT" && strings.HasPrefix(name, lateUTF8)
	return behavior && (v.BehaviorClose == "OK" || v.BehaviorClose == "INFORMATIONAL")
}

// judge says which cases were not passed, and how many there were by behaviour.
func judge(t *testing.T, dir string) {
	t.Helper()
	servers := decode[map[string]map[string]verdict](t, dir, "index.json")
	cases := 0
	count := map[string]int{}
	for _, verdicts := range servers {
		for _, name := range slices.Sorted(maps.Keys(verdicts)) {
			v := verdicts[name]
			cases++
			count[v.Behavior]++
			if !v.passed(name) {
				r := decode[report](t, dir, v.Report)
				t.Errorf("case %s: %s, and its end: %s\n%s\nexpected: %s\nreceived: %q\n%s, %s", name, v.Behavior, v.BehaviorClose,
					r.Description, r.Expectation, r.Received, r.Result, r.ResultClose)
			}
		}
	}
	if cases != autobahnCases {
		t.Errorf("%d cases were played, want %d", cases, autobahnCases)
	}
	t.Log("cases by behaviour:", count)
}

// A report is what is to be known of a case that was not passed.
type report struct {
	Description string `json:"description"`
	Expectation string `json:"expectation"`
	Received    []any  `json:"received"`
	Result      string `json:"result"`
	ResultClose string `json:"resultClose"`
}

// decode reads a file of the reports.
func decode[T any](t *testing.T, dir, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatalf("the report %s: %v", name, err)
	}
	return v
}
