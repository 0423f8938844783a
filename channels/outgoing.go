package channels

import "hark/protocol"

const (
	// keptParcels is how many parcels are kept from round to round, at most, and
	// keptBatches the room for batches in each.
	keptParcels = 4096
	keptBatches = 8
)

// outgoing is what a round of a flusher has for sockets that may be on several
// of its places, each once, in the order in which it came. A socket then needs
// one write, not one for each place.
type outgoing []parcel

// A parcel is for one socket.
type parcel struct {
	socket  *Socket
	batches []protocol.Batch // one or more; kept from round to round
}

// add puts b behind what there is for s.
func (o *outgoing) add(s *Socket, b protocol.Batch) {
	if s.parcel == 0 {
		n := len(*o)
		if n < cap(*o) {
			*o = (*o)[:n+1]
		} else {
			*o = append(*o, parcel{})
		}
		(*o)[n].socket = s
		s.parcel = int32(n) + 1
	}
	p := &(*o)[s.parcel-1]
	p.batches = append(p.batches, b)
}

// flush sends everything.
func (o *outgoing) flush() {
	for i := range *o {
		p := &(*o)[i]
		p.socket.parcel = 0
		p.socket.sendAll(p.batches)
		p.socket = nil
		clear(p.batches)
		if p.batches = p.batches[:0]; cap(p.batches) > keptBatches {
			p.batches = nil
		}
	}
	if *o = (*o)[:0]; cap(*o) > keptParcels {
		*o = nil
	}
}
