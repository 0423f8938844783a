package callback

import (
	"context"
	"errors"
	"time"

	"hark/authz"
)

// A Kind is what an application is asked.
type Kind string

// The kinds.
const (
	KindAuthenticate  Kind = "authenticate"   // who is this?
	KindAuthorize     Kind = "authorize"      // may they be on this channel?
	KindAuthorizeMany Kind = "authorize_many" // and on these?
	KindClientEvent   Kind = "client_event"   // what becomes of this client event?
	KindMessage       Kind = "message"        // what is answered to this message?
	KindSubscribed    Kind = "subscribed"     // what does a new subscriber see first?
)

// Counters is told what an operator counts. Methods are called on hot paths and under a lock, concurrently: they must not
// block. A nil Counters in Config counts nothing.
type Counters interface {
	// Called counts a call that has ended, or was not made, and how long that took. Waiting for its turn is included,
	// gathering is not.
	Called(k Kind, o Outcome, took time.Duration)
	// InFlight moves the gauge of the calls that are being made.
	InFlight(k Kind, by int)
	// Breaker says that the application is left alone from now on, tried, or asked as usual again. KindAuthorize stands
	// for KindAuthorizeMany too.
	Breaker(k Kind, s BreakerState)
	// Remembered counts a question that needed no call, because its answer was remembered.
	Remembered(k Kind)
}

// An Outcome is what came of a call.
type Outcome string

// The outcomes. Failed and TimedOut speak against the application.
const (
	Answered Outcome = "answered"  // with 200
	Refused  Outcome = "refused"   // with 401, 403 or 404
	Failed   Outcome = "failed"    // no answer, or not one that can be used
	TimedOut Outcome = "timed_out" // no answer in time
	Busy     Outcome = "busy"      // not made: too many wait, or it has waited too long
	LeftOut  Outcome = "left_out"  // not made: the application is left alone
)

func outcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Answered
	case errors.Is(err, authz.ErrUnauthenticated), errors.Is(err, authz.ErrDenied):
		return Refused
	case errors.Is(err, errLeftAlone):
		return LeftOut
	case errors.Is(err, errBusy):
		return Busy
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return Failed
}

type noCounters struct{}

func (noCounters) Called(Kind, Outcome, time.Duration) {}
func (noCounters) InFlight(Kind, int)                  {}
func (noCounters) Breaker(Kind, BreakerState)          {}
func (noCounters) Remembered(Kind)                     {}
