package redisbroker

import (
	"hash/fnv"
	"strconv"
	"strings"

	"hark/channels"
)

// keys makes the keys of one partition. The partition is the hash tag, so that all of
// them are in one slot.
type keys struct {
	base string // prefix:{p7}:
}

func (b *Broker) newKeys(tag string) keys { return keys{b.config.Prefix + ":{" + tag + "}:"} }

// escape keeps an app's id from running into what follows it in a key.
var escape = strings.NewReplacer("%", "%25", ":", "%3A", " ", "%20")

func (k keys) of(kind string, p channels.Place) string {
	return k.base + kind + ":" + escape.Replace(p.App) + ":" + p.Channel
}

// Of a place.
func (k keys) place(p channels.Place) string   { return k.of("p", p) } // hash: its position and counts
func (k keys) stream(p channels.Place) string  { return k.of("s", p) } // stream: what happened
func (k keys) channel(p channels.Place) string { return k.of("c", p) } // pub/sub: what happens

// Of a partition.
func (k keys) leases() string           { return k.base + "leases" }    // sorted set: node -> ms until which it lives
func (k keys) about() string            { return k.base + "about" }     // hash: who this Redis is
func (k keys) dead() string             { return k.base + "dead" }      // sorted set: node -> ms until which it is being swept
func (k keys) fenced() string           { return k.base + "fenced" }    // sorted set: node -> ms when its lease was ended; for a day
func (k keys) notes() string            { return k.base + "notes" }     // stream: for webhooks
func (k keys) holds(node string) string { return k.base + "h:" + node } // set: the places of a node
func (k keys) occupied(app string) string {
	return k.base + "occ:" + escape.Replace(app) // sorted set: an app's occupied channels, all with score 0
}
func (k keys) publish(id string) string { return k.base + "d:" + id } // string: where a publish was put whose answer was lost
func (k keys) answers(id string) string { return k.base + "a:" + id } // list: what nodes say to a question

// all returns the keys of the scripts that change who is on a place, in their order.
func (k keys) all(p channels.Place, node string) []string {
	return []string{
		k.place(p), k.stream(p), k.channel(p), k.leases(),
		k.of("n", p),       // hash: node -> its sockets there
		k.of("u", p),       // hash: user -> on how many nodes
		k.of("m", p),       // hash: user -> user_info
		k.of("r", p),       // sorted set: users in the order in which they came
		k.of("o:"+node, p), // set: the node's users there
		k.holds(node), k.occupied(p.App), k.notes(), k.about(),
	}
}

// partitionOf returns the partition that a place is in.
func (b *Broker) partitionOf(p channels.Place) *partition {
	h := fnv.New32a()
	h.Write([]byte(p.App))
	h.Write([]byte{0})
	h.Write([]byte(p.Channel))
	return b.partitions[h.Sum32()%uint32(len(b.partitions))]
}

// placeOf reads what holds has of a place.
func placeOf(member string) (channels.Place, bool) {
	app, channel, ok := strings.Cut(member, " ")
	return channels.Place{App: unescape.Replace(app), Channel: channel}, ok
}

var unescape = strings.NewReplacer("%20", " ", "%3A", ":", "%25", "%")

// slots is how many hash slots a Redis Cluster has. Its masters have ranges of them.
const slots = 16384

// tagsOf returns the hash tags of n partitions. Their slots are evenly spread, so that
// masters with as many slots have as many partitions, or one more: the slots of p0 to
// p31 themselves are all in four of eight masters' ranges.
func tagsOf(n int) []string {
	tags := make([]string, n)
	for i, left := 0, n; left > 0; i++ {
		tag := "p" + strconv.Itoa(i)
		if at := int(slotOf(tag)) * n / slots; tags[at] == "" {
			tags[at] = tag
			left--
		}
	}
	return tags
}

// slotOf returns the slot of a hash tag: its CRC16 with the polynomial of XMODEM.
//
// Redis: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ "Key distribution model"
func slotOf(tag string) uint16 {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			high := crc & 0x8000
			crc <<= 1
			if high != 0 {
				crc ^= 0x1021
			}
		}
	}
	return crc % slots
}
