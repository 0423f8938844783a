package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"
)

// deadline bounds every wait for another process.
const deadline = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hark": main})
}

// TestScripts runs testdata/*.txt. Beside testscript's own commands they have:
//
//	start NAME REGEXP PROGRAM ARG...   run a program in the background until what it printed matches; named groups become variables
//	await NAME REGEXP                  wait until what it printed so far matches
//	finish NAME CODE                   wait until it ends, with this exit code; NAME.stdout and NAME.stderr are what it printed
//	signal NAME                        send it SIGTERM
//	stop NAME                          signal NAME and finish NAME 0
//	crowd N URL                        open N websockets that stay until the script ends
//	exits CODE PROGRAM ARG...          run a program that must end with this exit code
//	application FILE                   answer callbacks at $APPLICATION with what FILE says of each kind
//	token NAME SECRET CLAIMS           make a variable of a JSON Web Token
//	post REGEXP URL FORM HEADER...     post a form: status and body of the answer match
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":  start,
			"await":  func(ts *testscript.TestScript, _ bool, args []string) { await(ts, running(ts, args[0]), args[1]) },
			"finish": func(ts *testscript.TestScript, _ bool, args []string) { finish(ts, args[0], args[1]) },
			"signal": func(ts *testscript.TestScript, _ bool, args []string) { terminate(ts, args[0]) },
			"stop": func(ts *testscript.TestScript, _ bool, args []string) {
				terminate(ts, args[0])
				finish(ts, args[0], "0")
			},
			"crowd":       crowd,
			"exits":       exits,
			"application": application,
			"token":       token,
			"post":        post,
		},
		Setup: func(e *testscript.Env) error {
			e.Values[processes{}] = map[string]*process{}
			return nil
		},
	})
}

// processes is the key of the processes that a script has started, by name.
type processes struct{}

// A process runs in the background of a script.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{} // closed after err is set
	err            error
}

// An output keeps what a process prints and says when there is more.
type output struct {
	changed chan struct{} // capacity 1
	mu      sync.Mutex
	text    bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	changed := make(chan struct{}, 1)
	p := &process{
		cmd:    exec.Command(args[2], args[3:]...),
		stdout: &output{changed: changed},
		stderr: &output{changed: changed},
		ended:  make(chan struct{}),
	}
	p.cmd.Dir = ts.Getenv("WORK")
	p.cmd.Env = environment(ts)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(p.cmd.Start())
	go func() { // ends with the process, which Defer sees to
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	ts.Defer(func() {
		_ = p.signal(syscall.SIGKILL) // fails if it has ended
		<-p.ended
	})
	ts.Value(processes{}).(map[string]*process)[args[0]] = p
	await(ts, p, args[1])
}

// signal reaches the program that a shell runs, too.
func (p *process) signal(s syscall.Signal) error { return syscall.Kill(-p.cmd.Process.Pid, s) }

// environment is what programs in the background get: testscript keeps its own to itself.
func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "WORK", "HARK_LISTEN", "HARK_CONFIG", "HARK_APP_ID", "HARK_APP_KEY", "HARK_APP_SECRET",
		"PUSHER_URL", "PUSHER_APP_ID", "REVERB_APP_ID", "REVERB_APP_KEY", "REVERB_APP_SECRET", "PORT",
		"SOKETI_DEFAULT_APP_ID", "SOKETI_DEFAULT_APP_KEY", "SOKETI_DEFAULT_APP_SECRET",
		"APPLICATION",
	} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func running(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

func await(ts *testscript.TestScript, p *process, pattern string) {
	re := regexp.MustCompile(pattern)
	late := time.After(deadline)
	for ended := false; ; {
		found := re.FindStringSubmatch(p.stdout.String())
		if found == nil {
			found = re.FindStringSubmatch(p.stderr.String())
		}
		if found != nil {
			for i, name := range re.SubexpNames() {
				if name != "" {
					ts.Setenv(name, found[i])
				}
			}
			return
		}
		if ended {
			ts.Fatalf("%v ended (%v) before it printed %s:\n%s%s", p.cmd.Args, p.err, pattern, p.stdout, p.stderr)
		}
		select {
		case <-p.stdout.changed: // stderr has the same
		case <-p.ended:
			ended = true
		case <-late:
			ts.Fatalf("%v has not printed %s:\n%s%s", p.cmd.Args, pattern, p.stdout, p.stderr)
		}
	}
}

func terminate(ts *testscript.TestScript, name string) {
	ts.Check(running(ts, name).signal(syscall.SIGTERM))
}

func finish(ts *testscript.TestScript, name, code string) {
	p := running(ts, name)
	select {
	case <-p.ended:
	case <-time.After(deadline):
		ts.Fatalf("%v does not end:\n%s%s", p.cmd.Args, p.stdout, p.stderr)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".stdout"), []byte(p.stdout.String()), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(name+".stderr"), []byte(p.stderr.String()), 0o644))
	checkCode(ts, p.err, code)
}

func crowd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for range n {
		c, _, err := websocket.Dial(ctx, args[1], nil)
		ts.Check(err)
		_, _, err = c.Read(ctx) // connection_established
		ts.Check(err)
		ts.Defer(func() { _ = c.CloseNow() }) // the server may have closed it
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	checkCode(ts, ts.Exec(args[1], args[2:]...), args[0])
}

func checkCode(ts *testscript.TestScript, err error, want string) {
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true},
		{"*", `App\Events\Paid`, true},
		{"order.*", "order.paid", true},
		{"order.*", "orders", false},
		{"*.paid", "order.paid", true},
		{"*.paid", "order.paid.twice", false},
		{"a*b*c", "a-b-b-c", true},
		{"paid", "paid", true},
		{"paid", "unpaid", false},
	} {
		if got := glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("glob(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

// What others publish must not reach a terminal as it is.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"ü 世"}`:     `{"a":"ü 世"}`,
		"two\nlines":      `"two\nlines"`,
		"\x1b[2J":         `"\x1b[2J"`,
		"\xff":            `"\xff"`,
		"right\u202eleft": `"right\u202eleft"`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestSelf(t *testing.T) {
	called := os.Args[0]
	defer func() { os.Args[0] = called }()
	for in, want := range map[string]string{
		"hark":                         "hark",
		"./bin/hark":                   "./bin/hark",
		"/my dir/it's/hark":            `'/my dir/it'\''s/hark'`,
		"/tmp/go-build3/b001/exe/hark": "go run ./cmd/hark",
		"/home/me/.cache/go-build/0a/0a1b-d/hark": "go run ./cmd/hark",
	} {
		os.Args[0] = in
		if got := self(); got != want {
			t.Errorf("called as %s: got %s, want %s", in, got, want)
		}
	}
}

func TestMemberFlag(t *testing.T) {
	for in, want := range map[string]string{
		"ann":                 "ann ",
		`ann={"name":"A=B"}`:  `ann {"name":"A=B"}`,
		`a=b={"x":1}`:         `a=b {"x":1}`,
		"ann=Ann":             "error",
		`ann={"name":`:        "error",
		`ann={"name":"A"} {}`: "error",
	} {
		got := "error"
		if m, err := member(in); err == nil {
			got = m.UserID + " " + string(m.UserInfo)
		} else if exitCode(err) != exitUsage {
			t.Errorf("member(%q): exit code %d", in, exitCode(err))
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("member(%q) = %q, want %q", in, got, want)
		}
	}
}
