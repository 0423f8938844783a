package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hark/channels"
)

// said returns what nodes answered, by their names.
func said(t *testing.T, answers []channels.Answer) map[string]string {
	t.Helper()
	by := make(map[string]string, len(answers))
	for _, a := range answers {
		if _, twice := by[a.Node]; twice || a.Node == "" {
			t.Errorf("an answer of %q among %v, want one of each node", a.Node, answers)
		}
		by[a.Node] = a.Text
	}
	return by
}

func asksItself(t *testing.T, b channels.Broker) {
	start(t, b)
	for _, question := range []string{"", "who is there?", "1:2 \n\x00 q", strings.Repeat("long", 100_000)} {
		answers, err := b.(channels.Questions).Ask(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		if len(said(t, answers)) != 1 || answers[0].Text != "to "+question {
			t.Errorf("%.50q was answered with %.100v", question, answers)
		}
	}
}

func cannotAnswer(t *testing.T, b channels.Broker) {
	startAnswering(t, b, func(context.Context, string) (string, error) { return "", errors.New("it is too dark") })
	answers, err := b.(channels.Questions).Ask(t.Context(), "who is there?")
	e, ok := errors.AsType[*channels.SilentError](err)
	if !ok || len(e.Nodes) != 1 || len(answers) != 0 || !strings.Contains(err.Error(), "too dark") {
		t.Errorf("Ask: %v, %v, want the node and why it could not answer", answers, err)
	}
}

// startNumbered runs all of b; each answers with its number, but for who is silent.
func startNumbered(t *testing.T, b []channels.Broker, mute int) {
	t.Helper()
	for i, one := range b {
		startAnswering(t, one, func(ctx context.Context, question string) (string, error) {
			if i == mute && question == "who is there?" {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			return fmt.Sprint(i), nil
		})
	}
}

// names asks all of b, and returns the node that answered with each number.
func names(t *testing.T, b []channels.Broker) map[string]string {
	t.Helper()
	answers, err := b[0].(channels.Questions).Ask(t.Context(), "what is your name?")
	if err != nil {
		t.Fatal(err)
	}
	nodes := make(map[string]string)
	for node, number := range said(t, answers) {
		nodes[number] = node
	}
	if len(nodes) != len(b) {
		t.Fatalf("answered %v, want each of %d nodes to answer with its number", answers, len(b))
	}
	return nodes
}

func allAnswer(t *testing.T, b []channels.Broker) {
	startNumbered(t, b, -1)
	nodes := names(t, b)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			answers, err := b[i%len(b)].(channels.Questions).Ask(t.Context(), "who is there?")
			if err != nil {
				t.Errorf("Ask on node %d: %v", i%len(b), err)
			}
			by := said(t, answers)
			for number, node := range nodes {
				expect(t, "answer of "+node, by[node], number)
			}
		})
	}
	wg.Wait()
}

func silentNode(t *testing.T, b []channels.Broker) {
	startNumbered(t, b, 2)
	nodes := names(t, b)
	var wg sync.WaitGroup
	for _, one := range b {
		wg.Go(func() {
			answers, err := one.(channels.Questions).Ask(t.Context(), "who is there?")
			e, ok := errors.AsType[*channels.SilentError](err)
			if !ok {
				t.Errorf("Ask: %v, want a *SilentError", err)
				return
			}
			expect(t, "silent", e.Nodes, []string{nodes["2"]})
			expect(t, "answers", said(t, answers), map[string]string{nodes["0"]: "0", nodes["1"]: "1"})
		})
	}
	wg.Wait()
}

func endedNode(t *testing.T, b []channels.Broker) {
	start(t, b[0])
	stop := startStopping(t, b[1])
	for _, want := range []int{2, 1} {
		answers, err := b[0].(channels.Questions).Ask(t.Context(), "who is there?")
		if err != nil || len(answers) != want {
			t.Errorf("Ask: %v, %v, want %d answers", answers, err, want)
		}
		if want == 2 {
			stop()
		}
	}
}
