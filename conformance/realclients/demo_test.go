package realclients

import (
	"fmt"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

const room = "presence-demo" // the demo page's presence channel

// online and said are what a demo page shows, as JavaScript: the users in their order, and the lines of the room's log.
const (
	online = `[...document.querySelectorAll('#online li')].map((e) => e.dataset.user)`
	said   = `[...document.querySelectorAll('#room li')].map((e) => e.textContent)`
)

func (b *browser) demo(s *server, name, user string) *tab {
	b.t.Helper()
	p := b.open(name, "http://"+s.host+"/demo/?"+url.Values{"user": {user}}.Encode())
	p.until(`!document.querySelector('#say button').disabled`)
	return p
}

// untilOnline waits until exactly these users are listed.
func (p *tab) untilOnline(users ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`(%s).sort().join() === %s`, online, strconv.Quote(strings.Join(users, ","))))
}

// say types a message and sends it.
func (p *tab) say(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("#text"), text+"\n"))
}

// untilSaid waits for a line of the room's log.
func (p *tab) untilSaid(line string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`(%s).includes(%s)`, said, strconv.Quote(line)))
}

// Two users, three tabs: whoever has a tab is listed once, and only the last tab takes him away.
func TestDemoOnline(t *testing.T) {
	s := serve(t)
	b := openBrowser(t)
	ada1 := b.demo(s, "ada1", "ada")
	bob := b.demo(s, "bob", "bob")
	ada2 := b.demo(s, "ada2", "ada")
	for _, p := range []*tab{ada1, bob, ada2} {
		p.untilOnline("ada", "bob")
	}
	if got := eval[string](bob, `document.getElementById('count').textContent`); got != "2" {
		t.Errorf("the count is %s, want 2", got)
	}

	ada1.end()
	s.untilCount(t, room, 2)
	ada2.say("still here") // comes after what closing the tab would have caused
	bob.untilSaid("ada still here")
	bob.untilOnline("ada", "bob")

	ada2.end()
	bob.untilOnline("bob")
	back := b.demo(s, "ada3", "ada")
	back.untilOnline("ada", "bob")
	back.say("back")
	bob.untilSaid("ada back")
	if diff := cmp.Diff([]string{"ada still here", "ada left", "ada joined", "ada back"}, eval[[]string](bob, said)); diff != "" {
		t.Errorf("bob's log (-want +got):\n%s", diff)
	}
}

func TestDemoClientEvents(t *testing.T) {
	s := serve(t)
	b := openBrowser(t)
	ada := b.demo(s, "ada", "ada")
	bob := b.demo(s, "bob", "bob")
	bob2 := b.demo(s, "bob2", "bob")

	ada.do(chromedp.SendKeys(chromedp.CSS("#text"), "h"))
	for _, p := range []*tab{bob, bob2} {
		p.until(`document.getElementById('typing').textContent === 'ada typing…'`)
	}
	ada.say("ello")
	for _, p := range []*tab{ada, bob, bob2} {
		p.untilSaid("ada hello")
		p.until(`document.getElementById('typing').textContent === ''`)
	}
	bob.say("hi")
	for _, p := range []*tab{ada, bob2} { // a user's other tab is another socket
		p.untilSaid("bob hi")
	}
	if diff := cmp.Diff([]string{"bob joined", "ada hello", "bob hi"}, eval[[]string](ada, said)); diff != "" {
		t.Errorf("ada's log (-want +got):\n%s", diff)
	}
}

func TestDemoPublicChannel(t *testing.T) {
	s := serve(t)
	b := openBrowser(t)
	nobody := b.open("nobody", "http://"+s.host+"/demo/")
	nobody.until(`document.getElementById('state').textContent === 'connected'`)
	ada := b.demo(s, "ada", "ada")
	s.untilCount(t, "demo", 2) // subscribed, which the page does not show
	const shown = `[...document.querySelectorAll('#public li')].map((e) => e.textContent).join('|')`
	if err := s.sdk.Trigger("demo", "greeting", map[string]string{"text": "hello"}); err != nil {
		t.Fatal(err)
	}
	if err := s.sdk.Trigger("demo", "note", "plain"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*tab{nobody, ada} {
		p.until(shown + ` === 'greeting {"text":"hello"}|note plain'`)
	}
	// The command that the page offers works as it stands.
	command := eval[string](ada, `document.getElementById('try').textContent`)
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	for _, p := range []*tab{nobody, ada} {
		p.until(`document.querySelectorAll('#public li').length === 3`)
	}
}

// Names, messages and events come from others: none of them may become markup.
func TestDemoShowsTextOnly(t *testing.T) {
	const evil = `<img src=x onerror="document.title='owned'">`
	s := serve(t)
	b := openBrowser(t)
	bob := b.demo(s, "bob", "bob")
	eve := b.demo(s, "eve", evil)
	eve.say(evil)
	bob.untilSaid(evil + " " + evil)
	if err := s.sdk.Trigger("demo", evil, evil); err != nil {
		t.Fatal(err)
	}
	bob.until(`document.querySelectorAll('#public li').length === 1`)
	for _, p := range []*tab{bob, eve} {
		if n := eval[int](p, `document.querySelectorAll('main img').length`); n != 0 {
			t.Errorf("%s: %d pieces of somebody's text became elements", p.name, n)
		}
	}
	if title := eval[string](bob, `document.title`); title != "bob · Hark demo" {
		t.Errorf("the title is %q: somebody's script ran", title)
	}
}

// A page whose server goes away says so, and is back where it was when the server is.
func TestDemoReconnects(t *testing.T) {
	s := serve(t)
	b := openBrowser(t)
	ada := b.demo(s, "ada", "ada")
	if err := s.process.Stop(); err != nil {
		t.Error(err)
	}
	ada.until(`document.getElementById('state').textContent !== 'connected'`)
	s = serveAt(t, s.host)
	ada.until(`document.getElementById('state').textContent === 'connected'`)
	s.untilCount(t, room, 1)
	bob := b.demo(s, "bob", "bob")
	for _, p := range []*tab{ada, bob} {
		p.untilOnline("ada", "bob")
	}
	bob.say("welcome back")
	ada.untilSaid("bob welcome back")
}
