package channels_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"hark/authz"
	"hark/channels"
)

// A page of an order shows its total as soon as it is subscribed, and is told of
// every change after that.
func ExampleHub_OnSubscribed() {
	var hub *channels.Hub // from New
	totals := map[string]int{"7": 42}
	hub.OnSubscribed("private-order.{id}", func(_ context.Context, _ *channels.Subscription, c authz.Captures) ([]channels.Event, error) {
		total, ok := totals[c["id"]]
		if !ok {
			return nil, fmt.Errorf("there is no order %s", c["id"])
		}
		e, err := channels.NewEvent("total", total)
		return []channels.Event{e}, err
	})
}

// Whoever types is named by the server, whatever the client claims.
func ExampleHub_Filter() {
	var hub *channels.Hub // from New
	hub.Filter("private-typing.{room}", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		if e.Sender.Guest() {
			return channels.Reject(0, "Sign in to be seen typing"), nil
		}
		typing, err := channels.NewEvent(e.Event.Name, map[string]string{"user": e.Sender.ID})
		return channels.Replace(typing), err
	})
}

// pusher.send_event("ping-time", {}) is answered with the time of the server, which
// pusher.bind("time", f) hears.
func ExampleHub_HandleMessage() {
	var hub *channels.Hub // from New
	hub.HandleMessage("ping-time", func(_ context.Context, s *channels.Socket, _ channels.Event) error {
		e, err := channels.NewEvent("time", time.Now())
		if err != nil {
			return err
		}
		return s.Send(e)
	})
}

// What users do is written down, off the way of everything else.
func ExampleHub_OnUnsubscribed() {
	var hub *channels.Hub // from New
	hub.OnUnsubscribed("presence-room.{room}", func(_ context.Context, sub *channels.Subscription, c authz.Captures, why channels.End) {
		if why.By == channels.Revoked {
			log.Printf("%s was thrown out of %s: %s", sub.Socket().Identity().ID, c["room"], why.Reason)
		}
	})
}

// Whoever sees an order is listed page by page. What a silent node has is missing, and that
// is said at the end.
func ExampleApp_Connections() {
	var app *channels.App // from Hub.App
	var page channels.Page
	for {
		list, next, err := app.Connections(context.Background(), channels.On("private-order.7"), page)
		silent, partial := errors.AsType[*channels.SilentError](err)
		if err != nil && !partial {
			log.Print(err)
			return
		}
		for _, c := range list {
			fmt.Println(c.Identity.ID, "since", c.Since, "on", c.Node)
		}
		if partial {
			fmt.Println("and whoever is on", silent.Nodes)
		}
		if page.Cursor = next; next == "" {
			return
		}
	}
}
