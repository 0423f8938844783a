package redisbroker_test

import (
	"reflect"
	"testing"
	"time"

	"hark/authz"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"

	"github.com/redis/go-redis/v9"
)

// A grant that one node keeps another takes, once; the newer of two counts.
func TestGrants(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	c := redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: prefix(), Timeout: patience}
	a, b := run(t, c), run(t, c)
	g := authz.Grant{Identity: authz.Identity{ID: "7", Roles: []string{"admin"}}, TTL: time.Minute, Moment: 1800000000000001}
	older := g
	older.Moment--
	for _, one := range []authz.Grant{g, older} {
		if err := a.KeepGrant(t.Context(), "1", "1.1", "private-x", one); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, ok, err := b.TakeGrant(t.Context(), "1", "1.1", "private-y"); ok || err != nil {
		t.Errorf("TakeGrant of none: %v, %v", ok, err)
	}
	if _, _, ok, err := b.TakeGrant(t.Context(), "2", "1.1", "private-x"); ok || err != nil {
		t.Errorf("TakeGrant in another app: %v, %v", ok, err)
	}
	got, kept, ok, err := b.TakeGrant(t.Context(), "1", "1.1", "private-x")
	if !ok || err != nil || !reflect.DeepEqual(got, g) || kept < 0 || kept > time.Minute {
		t.Errorf("TakeGrant: %+v, %v, %v, %v, want %+v", got, kept, ok, err, g)
	}
	if _, _, ok, _ := a.TakeGrant(t.Context(), "1", "1.1", "private-x"); ok {
		t.Error("a grant was taken twice")
	}
}
