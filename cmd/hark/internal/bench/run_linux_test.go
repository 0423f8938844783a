package bench

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/cmd/hark/internal/credentials"
	"hark/conformance"
	"hark/conformance/local"
	"hark/protocol"
)

// patience bounds every wait for a server that works.
const patience = 20 * time.Second

// hark is a server in this process, which therefore is what is measured.
func hark(t *testing.T) Target {
	app := local.StandardApp()
	app.Limits = protocol.Limits{ClientEvents: -1, Members: -1}
	target, stop, err := local.Listen(t.Context(), conformance.Config{Apps: []conformance.App{app}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return Target{PID: os.Getpid(), URL: credentials.URL{
		Scheme: "http",
		Host:   strings.TrimPrefix(target.URL, "http://"),
		App: credentials.App{
			ID:  app.ID,
			Key: authz.Key{Key: app.Keys[0].Key, Secret: authz.Secret(app.Keys[0].Secret)},
		},
	}}
}

func floorServer(t *testing.T) Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- ServeFloor(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return Target{PID: os.Getpid(), URL: testURL(l.Addr())}
}

func testURL(a net.Addr) credentials.URL {
	return credentials.URL{
		Scheme: "http",
		Host:   a.String(),
		App:    credentials.App{ID: "1", Key: authz.Key{Key: "key", Secret: "secret"}},
	}
}

// scenarios are small: what they find is what matters here, not how fast it was.
var scenarios = []struct {
	name     string
	scenario Scenario
	figures  string
	received int  // at least
	floor    bool // the floor server can be measured so
}{
	{
		"fanout", &Fanout{Span: Span{Events: 50}, Audience: Audience{20, 2}, Outstanding: 4, Size: 64},
		"deliveries_per_s events_per_s server_rss_mib", 500, true,
	},
	{
		"fanout on each channel", &Fanout{
			Span:     Span{Events: 50},
			Audience: Audience{20, 5}, Outstanding: 2, PerChannel: true, Size: 10240,
		},
		"deliveries_per_s", 200, true,
	},
	{
		"latency", &Latency{
			Pace:     Pace{Duration: 50 * time.Millisecond, Rate: 1000, Size: 64, Publishers: 4},
			Audience: Audience{20, 2},
		},
		"p50_ms p99_ms p999_ms carried behind_at_end", 500, true,
	},
	{
		"latency at two rates", &Latency{
			Pace:     Pace{Duration: 50 * time.Millisecond, Rate: 1000, Size: 64, Publishers: 4},
			Audience: Audience{2, 1}, BaseRate: 500,
		},
		"base_p99_ms p99_ms p99_ratio", 100, true,
	},
	{
		"trigger", &Trigger{Span: Span{Events: 50}, Conns: 4, Size: 64},
		"requests_per_s answer_p99_ms connections_per_request", 0, true,
	},
	{
		"trigger and close", &Trigger{Span: Span{Events: 50}, Conns: 4, Close: true, Size: 64},
		"requests_per_s connections_per_request", 0, true,
	},
	{
		"client events", &ClientEvents{Span: Span{Events: 50}, Audience: Audience{20, 5}, Outstanding: 8, Size: 64},
		"messages_per_s deliveries_per_s", 150, true,
	},
	{
		"presence", &Presence{Span: Span{Events: 50}, Audience: Audience{20, 2}},
		"changes_per_s deliveries_per_s", 500, false,
	},
	{
		"connect", &Connect{Conns: 50, Subscriptions: 1, Handshakes: Handshakes{Channels: 5, AtOnce: 10}},
		"cpu_per_conn_us rss_per_conn_bytes", 0, true,
	},
	{
		"connect without subscription", &Connect{Conns: 50, Handshakes: Handshakes{Channels: 5, AtOnce: 10}},
		"cpu_per_conn_us rss_per_conn_bytes", 0, true,
	},
	{
		"churn", &Churn{Cycles: 50, Warmup: 10, Handshakes: Handshakes{Channels: 5, AtOnce: 10}},
		"cpu_per_cycle_us rss_growth_per_cycle_bytes", 0, true,
	},
	{
		"storm", &Storm{
			Pace:  Pace{Duration: 50 * time.Millisecond, Rate: 200, Size: 64, Publishers: 4},
			Crowd: 50, AtOnce: 20, Conns: 5,
		},
		"quiet_p99_ms storm_p99_ms p99_ratio again_per_s", 50, true,
	},
	{
		"storm of subscriptions", &Storm{
			Pace:  Pace{Duration: 50 * time.Millisecond, Rate: 200, Size: 64, Publishers: 4},
			Crowd: 50, AtOnce: 20, PerSecond: 1000, Stay: true, Conns: 5,
		},
		"quiet_p99_ms storm_p99_ms p99_ratio again_per_s", 50, true,
	},
	{
		"slow", &Slow{Pace: Pace{Duration: 300 * time.Millisecond, Rate: 2000, Size: 10240, Publishers: 4}, Conns: 4},
		"quiet_p99_ms stalled_p99_ms p99_ratio stalled_open", 4000, false,
	},
}

func TestScenarios(t *testing.T) {
	for _, test := range scenarios {
		t.Run(test.name, func(t *testing.T) { runScenario(t, test.scenario, hark(t), test.received, test.figures) })
		if test.floor {
			t.Run(test.name+" of the floor", func(t *testing.T) {
				runScenario(t, test.scenario, floorServer(t), test.received, test.figures)
			})
		}
	}
}

func runScenario(t *testing.T, scenario Scenario, target Target, received int, figures string) {
	t.Helper()
	result, err := Run(t.Context(), scenario, target, Settings{Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Tally.OK() || result.Tally.Received < received {
		t.Errorf("deliveries %+v, want %d or more, and nothing wrong", result.Tally, received)
	}
	for name := range strings.FieldsSeq(figures) {
		if _, ok := result.Figures.Get(name); !ok {
			t.Errorf("there is no figure %s in %v", name, result.Figures)
		}
	}
}

// TestTriggerKeepsConnections has no more connections than it should: the figure says what was measured.
func TestTriggerKeepsConnections(t *testing.T) {
	for once, want := range map[bool]float64{false: 0, true: 1} {
		result, err := Run(t.Context(), &Trigger{Span: Span{Events: 20}, Conns: 1, Close: once, Size: 64}, hark(t), Settings{Patience: patience})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := result.Figures.Get("connections_per_request"); got < want-0.1 || got > want {
			t.Errorf("with Close %v there are %v connections for each request, want about %v", once, got, want)
		}
	}
}

// TestSlowAreClosed is what slow readers meet with Hark.
func TestSlowAreClosed(t *testing.T) {
	result, err := Run(t.Context(), &Slow{Pace: Pace{Duration: 300 * time.Millisecond, Rate: 2000, Size: 10240, Publishers: 4}, Conns: 2, Stalled: 2},
		hark(t), Settings{Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	if open, ok := result.Figures.Get("stalled_open"); !ok || open != 0 {
		t.Errorf("%v of the stalled are open, want none", open)
	}
}

func TestRunRefuses(t *testing.T) {
	nobody := testURL(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	secure := nobody
	secure.Scheme = "https"
	wrongKey := hark(t)
	wrongKey.URL.App.Key.Secret = "wrong"
	connect := &Connect{Conns: 10, Handshakes: Handshakes{Channels: 1, AtOnce: 1}}
	for _, test := range []struct {
		name     string
		scenario Scenario
		target   Target
		says     string
	}{
		{"nobody listens", connect, Target{URL: nobody}, "connection refused"},
		{"TLS", connect, Target{URL: secure}, "http and ws only"},
		{"too few connections", &Connect{Conns: 1, Handshakes: Handshakes{Channels: 1, AtOnce: 1}}, Target{URL: nobody}, "--conns must be at least 10, not 1"},
		{"a wrong signature", &Presence{Span: Span{Events: 1}, Audience: Audience{1, 1}}, wrongKey, "the server says: "},
		{"a wrong secret", &Trigger{Span: Span{Events: 1}, Conns: 1, Size: 64}, wrongKey, "401"},
		{"no process", &Trigger{Span: Span{Events: 1}, Conns: 1, Size: 64}, Target{URL: hark(t).URL, PID: 1 << 30}, "the server's process"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Run(t.Context(), test.scenario, test.target, Settings{Patience: patience})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
