package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/conformance/internal/inputs"
)

const module = "hark"

// A row says what some packages of this module may lean on. An embedder pays for what a package imports, and a reader has to
// know it: so dependencies point down, and a new one is decided here, on purpose.
type row struct {
	of  string   // the packages, under the module: "channels", or "channels/..." for all below it. The first row that fits counts
	may []string // what they may import beyond the standard library: packages of this module, or modules (and all in them)
	not []string // what they must not reach, through others either
	why string
}

// Do not change a row to make a build pass: if the import is right, the reason beside it has to be wrong.
var rows = []row{
	{
		of:  "protocol",
		may: []string{"github.com/go-json-experiment/json"},
		why: "the wire can be read, tested and fuzzed on its own: no I/O, no clock, no server",
	},
	{
		of:  "authz",
		may: []string{"hark/protocol", "github.com/go-json-experiment/json"},
		why: "who may do what does not depend on how they are connected",
	},
	{
		of:  "authz/rules",
		may: []string{"hark/authz", "github.com/expr-lang/expr"},
		not: []string{"testing"},
		why: "policies as data; who writes policies in Go does not pay for a language of expressions",
	},
	{
		of: "authz/jwt",
		may: []string{
			"hark/protocol", "hark/authz", "github.com/go-json-experiment/json",
			"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset",
		},
		not: []string{"github.com/gin-gonic/gin"},
		why: "tokens are one way among many to say who one is: who has another does not pay for them, so authz itself knows none",
	},
	{
		of:  "presence",
		may: []string{"hark/protocol"},
		why: "who is here is a plain value, whoever counts: memory or another store",
	},
	{
		of:  "channels",
		may: []string{"hark/protocol", "hark/authz", "hark/presence", "github.com/go-json-experiment/json"},
		not: []string{"github.com/gin-gonic/gin", "github.com/coder/websocket"},
		why: "the hub knows connections by an interface; transports and HTTP stand on it, not the reverse",
	},
	{
		of:  "channels/sock",
		why: "calls of sockets, for whoever has many short ones: it knows nothing of what goes over them",
	},
	{
		of:  "channels/ws",
		may: []string{"hark/protocol", "hark/channels", "hark/channels/sock", "github.com/coder/websocket"},
		not: []string{"github.com/gin-gonic/gin"},
		why: "an embedder who wants websockets does not pay for gin",
	},
	{
		of: "channels/redisbroker",
		may: []string{
			"hark/protocol", "hark/authz", "hark/presence", "hark/channels", "hark/channels/sock",
			"github.com/go-json-experiment/json", "github.com/redis/go-redis/v9",
		},
		not: []string{"github.com/gin-gonic/gin", "testing"},
		why: "one order for many nodes: only who has several nodes pays for a client of Redis",
	},
	{
		of: "channels/...", // brokertest, conntest, hubtest: what implementations of the hub's interfaces are tested with
		may: []string{
			"hark/protocol", "hark/authz", "hark/presence", "hark/channels",
			"github.com/go-json-experiment/json", "github.com/google/go-cmp", "pgregory.net/rapid",
		},
		not: []string{"github.com/gin-gonic/gin"},
		why: "who implements a Conn or a Broker tests it without a server around it",
	},
	{
		of:  "httpapi/demo",
		may: []string{"hark/protocol", "hark/authz", "github.com/go-json-experiment/json"},
		not: []string{"github.com/gin-gonic/gin"},
		why: "a page and an auth endpoint, as any application would write them: they need no hub",
	},
	{
		of:  "httpapi/callback",
		may: []string{"hark/protocol", "hark/authz", "github.com/go-json-experiment/json"},
		not: []string{"github.com/gin-gonic/gin", "hark/channels"},
		why: "it asks an application what policies and hooks would answer: it serves nothing, and whoever registers it knows the hub",
	},
	{
		of:  "httpapi/persistent",
		may: []string{"hark/channels/sock", "golang.org/x/net/http/httpguts"},
		not: []string{"github.com/gin-gonic/gin", "hark/channels"},
		why: "it serves whatever handler a server has: it knows HTTP, and no hub",
	},
	{
		of: "httpapi",
		may: []string{
			"hark/protocol", "hark/authz", "hark/presence", "hark/channels", "hark/channels/ws",
			"github.com/gin-gonic/gin", "github.com/go-json-experiment/json", "github.com/go-playground/validator/v10",
		},
		why: "everything HTTP, and the only package that imports gin; the demo is handed to it",
	},
	{
		of:  "conformance",
		may: []string{"hark/protocol", "github.com/coder/websocket", "github.com/go-json-experiment/json"},
		why: "it judges any server that speaks Pusher, so it must not lean on ours, nor on our codec",
	},
	{
		of: "conformance/local",
		may: []string{
			"hark/authz", "hark/channels", "hark/channels/ws", "hark/channels/redisbroker", "hark/conformance", "hark/httpapi",
			"github.com/redis/go-redis/v9",
		},
		why: "it starts our server for the cases that want one of their own; the suite itself does not know it",
	},
	{
		of:  "conformance/internal/process",
		may: []string{"hark/conformance/internal/inputs"},
		why: "tests see a program from outside, by what it prints and how it ends, so it knows nothing of what they run",
	},
	{
		of:  "conformance/internal/socket",
		may: []string{"github.com/coder/websocket", "github.com/go-json-experiment/json"},
		why: "tests see what is on the wire, so nothing of the server, nor our codec, may stand between",
	},
	{
		of:  "conformance/...",
		why: "what only tests use",
	},
	{
		of:  "cmd/hark/internal/bench",
		may: []string{"hark/protocol", "hark/authz", "hark/cmd/hark/internal/credentials", "github.com/go-json-experiment/json", "golang.org/x/sys"},
		why: "it measures any server that speaks Pusher, so it must not lean on ours; epoll is not in the standard library",
	},
	{
		of: "cmd/...",
		may: []string{
			"hark/cmd/hark/internal/...",
			"hark/protocol", "hark/authz", "hark/authz/jwt", "hark/authz/rules", "hark/presence", "hark/channels", "hark/channels/ws", "hark/channels/redisbroker",
			"hark/httpapi", "hark/httpapi/callback", "hark/httpapi/demo", "hark/httpapi/persistent", "hark/conformance", "hark/conformance/local",
			"github.com/KimMachineGun/automemlimit/memlimit",
			"github.com/caarlos0/env/v11", "github.com/coder/websocket", "github.com/go-json-experiment/json",
			"github.com/go-playground/validator/v10", "github.com/redis/go-redis/v9/logging", "github.com/spf13/cobra", "go.yaml.in/yaml/v4",
		},
		not: []string{"testing", "github.com/chromedp", "github.com/pusher"},
		why: "it wires what the others built, and holds nothing that only tests use",
	},
}

func TestDependencies(t *testing.T) {
	if err := inputs.Below(".."); err != nil {
		t.Fatal(err)
	}
	graph, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations(graph, rows) {
		t.Error(v)
	}
}

// A graph holds the direct imports of each package, tests not included.
type graph map[string][]string

func load() (graph, error) {
	cmd := exec.Command("go", "list", "-pgo=off", "-deps", "-json=ImportPath,Imports", module+"/...") // a package built by a profile has another name
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd.Args, err, &stderr)
	}
	g := graph{}
	for d := jsontext.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := json.UnmarshalDecode(d, &p); errors.Is(err, io.EOF) {
			return g, nil
		} else if err != nil {
			return nil, err
		}
		g[p.ImportPath] = p.Imports
	}
}

// violations compares a graph with the rows. A package without a row is one, too: somebody has to say what it may import.
func violations(g graph, rows []row) []string {
	var found []string
	for _, pkg := range slices.Sorted(maps.Keys(g)) {
		name, ours := strings.CutPrefix(pkg, module+"/")
		if !ours || len(g[pkg]) == 0 {
			continue
		}
		i := slices.IndexFunc(rows, func(r row) bool { return r.fits(name) })
		if i < 0 {
			found = append(found, pkg+": no row says what it may import")
			continue
		}
		r := rows[i]
		for _, imported := range g[pkg] {
			if !standard(imported) && !slices.ContainsFunc(r.may, func(m string) bool { return within(imported, m) }) {
				found = append(found, fmt.Sprintf("%s imports %s; %s", pkg, imported, r.why))
			}
		}
		for _, not := range r.not {
			if path := g.path(pkg, not); path != nil {
				found = append(found, fmt.Sprintf("%s reaches %s by %s; %s", pkg, not, strings.Join(path, " -> "), r.why))
			}
		}
	}
	return found
}

func (r row) fits(name string) bool { return below(name, r.of) || name == r.of }

// below reports whether the pattern is "x/..." and the package is somewhere below x.
func below(pkg, pattern string) bool {
	parent, ok := strings.CutSuffix(pattern, "...")
	return ok && strings.HasPrefix(pkg, parent)
}

// path returns the shortest chain of imports from a package to one of the target's, or nil.
func (g graph) path(from, target string) []string {
	queue := [][]string{{from}}
	seen := map[string]bool{from: true}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		for _, next := range g[path[len(path)-1]] {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(path), next)
			if within(next, target) {
				return longer
			}
			queue = append(queue, longer)
		}
	}
	return nil
}

// within reports whether pkg is the package, or in the module, that is named. A package of this module stands for itself
// alone, unless "/..." says otherwise.
func within(pkg, named string) bool {
	if pkg == named || below(pkg, named) {
		return true
	}
	return !strings.HasPrefix(named, module+"/") && strings.HasPrefix(pkg, named+"/")
}

// standard reports whether a package is of the standard library: only there has the first element no dot.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return first != module && !strings.Contains(first, ".")
}

// The check above is worth something only if it fails when an import is turned around.
func TestViolations(t *testing.T) {
	const gin, jsonv2 = "github.com/gin-gonic/gin", "github.com/go-json-experiment/json"
	good := func() graph {
		return graph{
			"hark/protocol":    {"strings", jsonv2, jsonv2 + "/jsontext"},
			"hark/presence":    {"hark/protocol"},
			"hark/authz":       {"crypto/hmac", "hark/protocol"},
			"hark/authz/jwt":   {"hark/authz", "github.com/golang-jwt/jwt/v5"},
			"hark/channels":    {"hark/authz", "hark/presence", "hark/protocol"},
			"hark/channels/ws": {"hark/channels", "github.com/coder/websocket", "net/http"},
			"hark/httpapi":     {gin, "hark/channels/ws", "net/http"},
			"hark/conformance": {"hark/protocol"},
			"hark/cmd/hark":    {"hark/cmd/hark/internal/config", "hark/httpapi", "github.com/spf13/cobra"},
			gin:                {"html/template"},
			"net/http":         {"vendor/golang.org/x/net/http/httpguts"},
		}
	}
	if v := violations(good(), rows); v != nil {
		t.Errorf("a graph that is right: %q", v)
	}
	for _, c := range []struct{ from, to, want string }{
		{"hark/protocol", "hark/authz", "hark/protocol imports hark/authz;"},
		{"hark/protocol", "golang.org/x/text", "hark/protocol imports golang.org/x/text;"},
		{"hark/presence", "hark/channels", "hark/presence imports hark/channels;"},
		{"hark/authz", "hark/channels", "hark/authz imports hark/channels;"},
		{"hark/authz", "github.com/golang-jwt/jwt/v5", "hark/authz imports github.com/golang-jwt/jwt/v5;"},
		{"hark/channels", "hark/channels/ws", "hark/channels imports hark/channels/ws;"},
		{"hark/channels", "github.com/coder/websocket", "hark/channels imports github.com/coder/websocket;"},
		{"hark/channels/ws", "hark/httpapi", "hark/channels/ws reaches " + gin + " by hark/channels/ws -> hark/httpapi -> " + gin},
		{"github.com/coder/websocket", gin, "hark/channels/ws reaches " + gin + " by hark/channels/ws -> github.com/coder/websocket -> " + gin},
		{"hark/conformance", "hark/channels", "hark/conformance imports hark/channels;"},
		{"hark/httpapi", "hark/cmd/hark", "hark/httpapi imports hark/cmd/hark;"},
		{"hark/channels", "hark/cmd/hark/internal/config", "hark/channels imports hark/cmd/hark/internal/config;"},
		{"hark/cmd/hark", "testing", "hark/cmd/hark reaches testing by hark/cmd/hark -> testing;"},
		{"hark/util", "strings", "hark/util: no row says what it may import"},
	} {
		g := good()
		g[c.from] = append(g[c.from], c.to)
		found := violations(g, rows)
		if !slices.ContainsFunc(found, func(v string) bool { return strings.HasPrefix(v, c.want) }) {
			t.Errorf("%s importing %s: found %q, want %q", c.from, c.to, found, c.want)
		}
	}
}
