package redisbroker_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// The ACL users of these tests.
const (
	aclUser, aclPassword           = "hark-node", "p@ss/word"
	sentinelUser, sentinelPassword = "hark-asks", "an other"
)

// suiteLease is what the suites here wait for.
const suiteLease = 3 * time.Second

// permissions returns the rules that stand in the package's documentation behind a line
// that ends with some words.
func permissions(t *testing.T, behind string) []string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), behind+"\n//\n")
	if !found {
		t.Fatalf("doc.go does not say %q", behind)
	}
	var rules []string
	for line := range strings.Lines(rest) {
		words, indented := strings.CutPrefix(line, "//\t")
		if !indented {
			break
		}
		rules = append(rules, strings.Fields(words)...)
	}
	return rules
}

// nodeRules are what a node needs, for the prefixes that tests have.
func nodeRules(t *testing.T, cluster bool) []string {
	t.Helper()
	rules := permissions(t, "An ACL user needs, where the prefix is hark,")
	if cluster {
		rules = append(rules, permissions(t, "in a Redis Cluster this, too:")...)
	}
	for i, rule := range rules {
		rules[i] = strings.ReplaceAll(rule, "hark:*", "test*")
	}
	return rules
}

// admit gives a server the user that nodes log in as.
func admit(t *testing.T, cluster bool, servers ...*redistest.Server) {
	t.Helper()
	for _, s := range servers {
		do(t, s, append([]string{"ACL", "SETUSER", aclUser, "on", ">" + aclPassword}, nodeRules(t, cluster)...)...)
	}
}

// refusedNothing fails the test if a server has refused something for want of a permission.
func refusedNothing(t *testing.T, servers ...*redistest.Server) {
	t.Helper()
	for _, s := range servers {
		if log := do(t, s, "ACL", "LOG"); log != "" {
			t.Errorf("%s has refused something:\n%s", s.Addr(), log)
		}
	}
}

// Over TLS, with a user who may do what the documentation says and no more.
func TestSecure(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	s := redistest.Start(t, redistest.Options{TLS: authority})
	admit(t, false, s)
	nodesContract(t, redisbroker.Config{Lease: suiteLease, Redis: redis.UniversalOptions{
		Addrs: []string{s.Addr()}, TLSConfig: authority.Client(), Username: aclUser, Password: aclPassword,
	}})
	refusedNothing(t, s)
	for _, command := range []string{
		"FLUSHALL", "FLUSHDB", "KEYS test*", "CONFIG SET appendonly no", "ACL LIST", "SHUTDOWN", "SCRIPT FLUSH", "DEBUG SLEEP 1",
		"GET other", "SET other 1", "SPUBLISH other x", "CLIENT KILL TYPE normal", "REPLICAOF NO ONE",
	} {
		answer := do(t, s, append([]string{"ACL", "DRYRUN", aclUser}, strings.Fields(command)...)...)
		if answer == "OK" {
			t.Errorf("the user may do %s", command)
		}
	}
}

// On a Redis Cluster, over TLS and with such a user.
func TestSecureCluster(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	c := redistest.StartCluster(t, redistest.Options{TLS: authority}, redistest.Thirds...)
	admit(t, true, c.Masters...)
	nodesContract(t, redisbroker.Config{Lease: suiteLease, Partitions: 4, Redis: redis.UniversalOptions{
		Addrs: c.Addrs(), IsClusterMode: true, TLSConfig: authority.Client(), Username: aclUser, Password: aclPassword,
	}})
	refusedNothing(t, c.Masters...)
}

// sentinels starts Sentinels that have a user for nodes.
func sentinels(t *testing.T, master *redistest.Server, replicas int) *redistest.Sentinels {
	t.Helper()
	rules := append([]string{"user", sentinelUser, "on", `">` + sentinelPassword + `"`},
		permissions(t, "and a user of Sentinels, which have users of their own,")...)
	return redistest.StartSentinels(t, master, replicas, strings.Join(rules, " "))
}

// behind is how nodes reach a Redis behind Sentinels.
func behind(g *redistest.Sentinels) redis.UniversalOptions {
	return redis.UniversalOptions{
		Addrs: g.Addrs(), MasterName: g.Name, Username: aclUser, Password: aclPassword,
		SentinelUsername: sentinelUser, SentinelPassword: sentinelPassword,
	}
}

// Behind Sentinels, with such users there and in Redis.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, redistest.Options{})
	admit(t, false, master)
	g := sentinels(t, master, 0)
	nodesContract(t, redisbroker.Config{Lease: suiteLease, Redis: behind(g)})
	refusedNothing(t, append(g.All, master)...)
}
