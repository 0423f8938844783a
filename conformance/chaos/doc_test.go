// Package chaos compares what clients see with what they should have seen, while nodes die, networks fail and Redis restarts
// under traffic. Who publishes numbers what it sends; a checker knows from the numbers what is lost, told twice or told in
// another order, and from the comings and goings who has to be there.
//
// A play is seeded: who does what, where and when is the same each time, as far as the clocks of real processes allow. It
// prints what it has counted.
package chaos
