package channels

import "hark/protocol"

// Counters is told what an operator counts. Methods are called on hot paths,
// concurrently: they must not block. A nil Counters in Config counts nothing.
type Counters interface {
	// Dropped counts n things that were not carried, and why.
	Dropped(r DropReason, n int)
	// Closed counts a connection that the hub closed or refused, by its code.
	Closed(code protocol.CloseCode)
	// Listed moves the gauge of the bytes that wait in entry lists.
	Listed(bytes int)
}

// A DropReason says why something was not carried.
type DropReason string

// The reasons. Each names a bound of Config or of an app's limits.
const (
	// DropSlow: the connection's outbox was full; it was closed with 4100.
	DropSlow DropReason = "slow_consumer"
	// DropListFull: a place's entry list was full. Its publisher was told, or,
	// where that was not possible, the channel: hark:gap.
	DropListFull DropReason = "entry_list_full"
	// DropRate: a client event over the app's rate; its sender was told 4301.
	DropRate DropReason = "client_event_rate"
	// DropUnavailable: the broker did not take it in time; the one who sent it
	// was told.
	DropUnavailable DropReason = "broker_unavailable"
	// DropUnasked: an upgrade was answered with 503, since the application could
	// not be asked within Config.HoldUpgrade.
	DropUnasked DropReason = "upgrade_unasked"
	// DropHeld: an upgrade was answered with 503, since Config.HeldUpgrades waited
	// for the application already.
	DropHeld DropReason = "upgrades_held"
	// DropObserver: something that an observer was not told, because too much
	// waited to be told (Config.ObserverQueue) or too many observers hang.
	DropObserver DropReason = "observer_queue_full"
	// DropFilter: a client event that a filter could not judge; its sender was
	// told 4301.
	DropFilter DropReason = "filter_failed"
	// DropInitial: a subscription's initial state, because it could not be loaded
	// or too much happened meanwhile; the client was told hark:state_unavailable.
	DropInitial DropReason = "initial_state"
	// DropControl: a command to this node (broadcast, revoke, …) beyond what it
	// holds of an app. All clients of the app were asked to connect anew.
	DropControl DropReason = "control_full"
	// DropQuestion: a page of connections or users, because of too many that were asked
	// for; who asked was told ErrBusy.
	DropQuestion DropReason = "questions_full"
)

type noCounters struct{}

func (noCounters) Dropped(DropReason, int)   {}
func (noCounters) Closed(protocol.CloseCode) {}
func (noCounters) Listed(int)                {}
