package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// A Scenario is one way to load a server. Its fields are not changed while it runs.
type Scenario interface {
	// Headline names the figure that the scenario is about.
	Headline() string
	// Validate says what cannot be measured so, and which flag to change.
	Validate() error
	run(s *session) error
}

// Settings are what all scenarios have.
type Settings struct {
	Patience time.Duration // how long nothing may come that is waited for; what is under way then counts as lost
}

// A session is one run of a scenario against one server.
type session struct {
	*client
	target   Target
	ledger   *ledger
	figures  Figures
	finished int  // events or cycles, counted by the scenario
	closing  bool // nothing new is begun
}

// Run runs a scenario once.
func Run(ctx context.Context, scenario Scenario, target Target, settings Settings) (Result, error) {
	if err := scenario.Validate(); err != nil {
		return Result{}, err
	}
	runtime.LockOSThread() // the loop's sockets are ready for this thread
	defer runtime.UnlockOSThread()
	c, err := newClient(ctx, target, settings.Patience)
	if err != nil {
		return Result{}, err
	}
	defer c.loop.close()
	s := &session{client: c, target: target, ledger: &ledger{}}
	if err := scenario.run(s); err != nil {
		return Result{}, err
	}
	return Result{Figures: s.figures, Tally: s.ledger.tally}, nil
}

// RunCommand starts a server, runs a scenario once, and ends the server.
func RunCommand(ctx context.Context, scenario Scenario, line string, settings Settings) (result Result, err error) {
	server, err := start(ctx, line)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	result, err = Run(ctx, scenario, server.Target, settings)
	if err == nil {
		return result, nil
	}
	select {
	case <-server.ended:
		return result, fmt.Errorf("%w; the server has ended: %s", err, server.said)
	default:
		return result, err
	}
}

// A moment is what was used up to some point in time.
type moment struct {
	at         time.Duration
	server     Usage
	client     time.Duration // CPU time of this process
	finished   int
	deliveries int
	reads      int
}

func (s *session) mark() (moment, error) {
	m := moment{at: time.Since(s.loop.began), finished: s.finished, deliveries: s.ledger.tally.Received, reads: s.loop.reads}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return m, fmt.Errorf("read what this process uses: %w", err)
	}
	m.client = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	if s.target.PID == 0 {
		return m, nil
	}
	var err error
	m.server, err = usageOf(s.target.PID)
	return m, err
}

// around marks before and after something.
func (s *session) around(f func() error) (from, to moment, err error) {
	if from, err = s.mark(); err != nil {
		return from, to, err
	}
	if err = f(); err != nil {
		return from, to, err
	}
	to, err = s.mark()
	return from, to, err
}

// A Span is how long a scenario measures.
type Span struct {
	Duration time.Duration
	Events   int // end after so many, whatever the time; 0: after Duration
}

func (s Span) validate() error {
	if s.Events <= 0 && s.Duration <= 0 {
		return errors.New("--duration must be more than 0, or --events given")
	}
	return nil
}

// before is the part of a span for which a server is warmed up before.
const before = 5

// during warms up and then measures over a span.
func (s *session) during(span Span) (from, to moment, err error) {
	stretch := func(part int) error {
		if span.Events <= 0 {
			return s.pass(span.Duration / time.Duration(part))
		}
		until := s.finished + max(1, span.Events/part)
		err := s.loop.run(s.ctx, s.patience, func() bool { return s.finished >= until })
		if errors.Is(err, errStalled) {
			return nil
		}
		return err
	}
	if err := stretch(before); err != nil {
		return from, to, err
	}
	from, to, err = s.around(func() error { return stretch(1) })
	s.closing = true
	return from, to, err
}

// deliver measures over a span, waits for what is still on its way to a crowd, and adds what it cost: each delivery, and
// each of what the scenario has counted and names.
func (s *session) deliver(span Span, to *crowd, finished string) (from, until moment, err error) {
	if from, until, err = s.during(span); err != nil {
		return from, until, err
	}
	if err := to.finish(); err != nil {
		return from, until, err
	}
	cpu := s.cost(from, until)
	s.rate(finished, until.finished-from.finished, from, until, cpu)
	s.rate("deliveries", until.deliveries-from.deliveries, from, until, cpu)
	return from, until, nil
}

// cost adds the figures that every scenario has: what the server and the client used between two moments.
func (s *session) cost(from, to moment) (cpu float64) {
	wall := (to.at - from.at).Seconds()
	user := (to.server.User - from.server.User).Seconds()
	system := (to.server.System - from.server.System).Seconds()
	cpu = user + system
	if s.target.PID == 0 {
		return 0
	}
	s.figures.add("server_cpu_s", "s", cpu)
	s.figures.add("server_cores", "", cpu/wall)
	if cpu > 0 {
		s.figures.add("server_user_share", "", user/cpu)
		s.figures.add("client_cpu_share", "", (to.client-from.client).Seconds()/cpu)
	}
	s.figures.add("server_rss_mib", "MiB", float64(to.server.Resident)/(1<<20))
	return cpu
}

// rate adds how many of something there were in a second, and in one of the server's CPU time.
func (s *session) rate(name string, count int, from, to moment, cpu float64) {
	s.figures.add(name+"_per_s", "1/s", float64(count)/(to.at-from.at).Seconds())
	if cpu > 0 {
		s.figures.add(name+"_per_cpu_s", "1/s", float64(count)/cpu)
	}
}

// lateness adds the quantiles of a histogram.
func (s *session) lateness(prefix string, h *histogram) {
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50_ms", 0.5}, {"p99_ms", 0.99}, {"p999_ms", 0.999}} {
		s.figures.add(prefix+q.name, "ms", milliseconds(h.quantile(q.share)))
	}
}
