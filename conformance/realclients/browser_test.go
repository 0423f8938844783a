package realclients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"hark/conformance/internal/process"
)

// A browser is a headless Chromium with a profile of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// A tab is one page of it. A script that fails, and a load that the page's policy refuses, fail the test.
type tab struct {
	t     *testing.T
	name  string
	ctx   context.Context
	close func()
	done  bool

	mu       sync.Mutex
	problems []string // guarded by mu
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := process.Find(t, "chromium", "chromium", "chromium-browser", "google-chrome")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // it does not start as root otherwise; it sees pages of these tests only
		chromedp.DisableGPU,
		// Without these it calls home at every start.
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	// Not the test's context, which ends before the tabs are looked at once more and closed.
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return &browser{t, ctx}
}

// open opens a page in a new tab, which closes with the test.
func (b *browser) open(name, url string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	p := &tab{t: b.t, name: name, ctx: ctx, close: cancel}
	b.t.Cleanup(p.end)
	// The first call makes the tab, so it must not have a deadline: the tab would end with it.
	if err := chromedp.Listen(ctx, p.notice); err != nil {
		b.t.Fatalf("%s: new tab: %v", name, err)
	}
	p.do(chromedp.Navigate(url))
	return p
}

// notice is called by chromedp from the loop that reads the browser's messages.
func (p *tab) notice(ev any) {
	var text string
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		text = ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
	case *cdplog.EventEntryAdded:
		// That a connection is lost is said at this level, too, and part of some tests.
		if ev.Entry.Level != cdplog.EntryLevelError || ev.Entry.Source == cdplog.EntrySourceNetwork {
			return
		}
		text = fmt.Sprintf("%s: %s %s", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// end closes the tab as a user does. It may be called again.
func (p *tab) end() {
	if p.done {
		return
	}
	p.done = true
	p.mu.Lock()
	problems := p.problems
	p.mu.Unlock()
	if len(problems) > 0 {
		p.t.Errorf("%s: the page has problems:\n%s", p.name, strings.Join(problems, "\n"))
	}
	if p.t.Failed() {
		p.screenshot()
	}
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Logf("%s: close: %v", p.name, err)
	}
	p.close()
}

func (p *tab) screenshot() {
	ctx, cancel := context.WithTimeout(p.ctx, process.Deadline)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	dir, mkErr := os.MkdirTemp("", "hark-screenshot-") // not t.TempDir, which goes with the test
	if err != nil || mkErr != nil {
		p.t.Logf("%s: no screenshot: %v, %v", p.name, err, mkErr)
		return
	}
	path := filepath.Join(dir, p.name+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		p.t.Log(err)
	}
	p.t.Logf("%s looked like this: %s", p.name, path)
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, process.Deadline)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// until waits until a JavaScript expression is true in the page.
func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, process.Deadline)
	defer cancel()
	// chromedp.Poll would make a function out of text in the page, which the demo's policy refuses.
	wait := fmt.Sprintf(`new Promise((resolve) => {
		const check = () => (%s) ? resolve() : setTimeout(check, 20);
		check();
	})`, expression)
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](wait, chromedp.EvalAwaitPromise)); err != nil {
		p.t.Fatalf("%s: waited for %s: %v; the page says:\n%s", p.name, expression, err, eval[string](p, `document.body.innerText`))
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, process.Deadline)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, expression, err)
	}
	return v
}
