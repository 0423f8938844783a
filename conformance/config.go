package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hark/protocol"
)

// A Config is what a case asks of a server that is started for it. The first
// app is the one that clients connect to if nothing else is said.
type Config struct {
	Apps []App
	// ActivityTimeout is the server's; 0: its default.
	ActivityTimeout time.Duration
}

// An App is a tenant of a server.
type App struct {
	// Name is by what a transcript knows it; "" for the first.
	Name  string
	ID    string
	Alias string // a second id; "" for none
	// Keys are the live pairs, oldest first.
	Keys         []Key
	ClientEvents bool
	Disabled     bool
	// SubscriptionCount and Watchlists are features that Pusher lets an app
	// switch on. A case without an app line passes over the counts.
	SubscriptionCount bool
	Watchlists        bool
	// CacheTTL and AuthorizeWithin: 0 is the server's default.
	CacheTTL        time.Duration
	AuthorizeWithin time.Duration
	Limits          protocol.Limits // zero fields are the defaults
}

// A Key signs.
type Key struct{ Key, Secret string }

// add takes an app line in, "app: client_events=off" or "app other:".
func (c *Config) add(line string) error {
	head, settings, ok := strings.Cut(line, ":")
	name := strings.TrimSpace(strings.TrimPrefix(head, "app"))
	if !ok || (name == "") != (len(c.Apps) == 0) || name != "" && !isName(name) {
		return errors.New(`an app line is "app: settings", and "app name: settings" for each further app`)
	}
	n := len(c.Apps) + 1
	a := App{Name: name, ID: strconv.Itoa(1000 + n), ClientEvents: true}
	a.addKey(n)
	for _, other := range c.Apps {
		if other.Name == name {
			return fmt.Errorf("there is an app %s already", name)
		}
	}
	for setting := range strings.FieldsSeq(settings) {
		key, value, _ := strings.Cut(setting, "=")
		if key == "activity_timeout" {
			if err := setDuration(&c.ActivityTimeout, value); err != nil {
				return err
			}
			continue
		}
		if err := a.set(n, key, value); err != nil {
			return err
		}
	}
	c.Apps = append(c.Apps, a)
	return nil
}

// addKey adds a key to the nth app. They are as long as those of Pusher.
func (a *App) addKey(n int) {
	k := len(a.Keys) + 1
	a.Keys = append(a.Keys, Key{
		Key:    fmt.Sprintf("%010xc0ffee%04x", n, k),
		Secret: fmt.Sprintf("%010x5ec2e7%04x", n, k),
	})
}

func (a *App) set(n int, key, value string) error {
	switch key {
	case "client_events":
		return onOff(&a.ClientEvents, value)
	case "disabled":
		return onOff(&a.Disabled, value)
	case "subscription_count":
		return onOff(&a.SubscriptionCount, value)
	case "watchlists":
		return onOff(&a.Watchlists, value)
	case "cache_ttl":
		return setDuration(&a.CacheTTL, value)
	case "authorize_within":
		return setDuration(&a.AuthorizeWithin, value)
	case "alias":
		a.Alias = value
		return nil
	case "keys":
		keys, err := strconv.Atoi(value)
		if err != nil || keys < 1 || keys > 9 {
			return fmt.Errorf("keys is 1 to 9, not %q", value)
		}
		for len(a.Keys) < keys {
			a.addKey(n)
		}
		return nil
	}
	limit := a.limit(key)
	if limit == nil {
		return fmt.Errorf("there is no setting %q", key)
	}
	var err error
	if *limit, err = strconv.Atoi(value); err != nil {
		return fmt.Errorf("%s is a number, not %q", key, value)
	}
	return nil
}

func onOff(b *bool, value string) error {
	if value != "on" && value != "off" {
		return fmt.Errorf("a switch is on or off, not %q", value)
	}
	*b = value == "on"
	return nil
}

func setDuration(d *time.Duration, value string) error {
	var err error
	*d, err = time.ParseDuration(value)
	return err
}

// limit returns the limit of that name, or nil.
func (a *App) limit(name string) *int {
	l := &a.Limits
	switch name {
	case "limits.channel_name":
		return &l.ChannelName
	case "limits.event_name":
		return &l.EventName
	case "limits.event_data":
		return &l.EventData
	case "limits.trigger_channels":
		return &l.TriggerChannels
	case "limits.batch_events":
		return &l.BatchEvents
	case "limits.members":
		return &l.Members
	case "limits.user_info":
		return &l.UserInfo
	case "limits.user_id":
		return &l.UserID
	case "limits.client_events":
		return &l.ClientEvents
	case "limits.message":
		return &l.Message
	case "limits.channels":
		return &l.Channels
	case "limits.watchlist":
		return &l.Watchlist
	case "limits.connections":
		return &l.Connections
	case "limits.rest_body":
		return &l.RESTBody
	}
	return nil
}

// app returns the app of that name, or nil.
func (c *Config) app(name string) *App {
	for i := range c.Apps {
		if c.Apps[i].Name == name {
			return &c.Apps[i]
		}
	}
	return nil
}
