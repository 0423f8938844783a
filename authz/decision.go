package authz

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Decision is a policy's answer. The zero Decision is no opinion.
type Decision struct {
	verdict verdict
	reason  string
	info    string        // the text of a JSON object; "": none
	err     error         // why info could not be encoded
	ttl     time.Duration // 0: none
}

type verdict uint8

const (
	noOpinion verdict = iota
	allow
	deny
)

// Allow lets the identity in, as far as this policy is concerned.
func Allow() Decision { return Decision{verdict: allow} }

// Deny keeps the identity out, whatever other policies say. The reason is for the log and for [Registry.Explain]; no
// client is told it.
func Deny(reason string) Decision { return Decision{verdict: deny, reason: reason} }

// NoOpinion neither opens nor closes. It is the zero Decision.
func NoOpinion() Decision { return Decision{} }

// WithInfo makes v, encoded as JSON, what other members of a presence channel see, in place of [Identity.Info]; nil takes
// that back. v must be encoded as an object, else the policy counts as one that could not be asked. The member's id is
// that of the identity all the same: a policy cannot make one user appear as another.
func (d Decision) WithInfo(v any) Decision {
	d.info, d.err = "", nil
	if v == nil {
		return d
	}
	text, err := json.Marshal(v, json.Deterministic(true))
	if err == nil && jsontext.Value(text).Kind() != '{' {
		err = fmt.Errorf("%s is not a JSON object", text)
	}
	if err != nil {
		d.err = fmt.Errorf("the info of a decision: %w", err)
		return d
	}
	d.info = string(text)
	return d
}

// For makes an Allow lapse after ttl: then the policies are asked again, and the subscription ends if they do not allow
// it any more. 0: it does not lapse. A negative ttl has passed already: then an Allow turns into no opinion.
func (d Decision) For(ttl time.Duration) Decision {
	d.ttl = max(ttl, 0)
	if ttl < 0 && d.verdict == allow {
		d.verdict = noOpinion
	}
	return d
}

// Allowed reports whether the decision is an Allow.
func (d Decision) Allowed() bool { return d.verdict == allow }

// Denied reports whether the decision is a Deny.
func (d Decision) Denied() bool { return d.verdict == deny }

// String returns "allow", "deny: reason" or "no opinion".
func (d Decision) String() string {
	switch d.verdict {
	case allow:
		return "allow"
	case deny:
		return "deny: " + d.reason
	}
	return "no opinion"
}
