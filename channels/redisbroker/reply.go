package redisbroker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hark/channels"
)

var errReply = errors.New("redisbroker: Redis answered with something that no script returns")

// status returns the first element of a reply, and the others.
func status(reply []any) (string, []any) {
	if len(reply) == 0 {
		return "", nil
	}
	s, _ := reply[0].(string)
	return s, reply[1:]
}

// number reads an integer, which scripts write in full.
func number(v any) (int64, error) {
	text, ok := v.(string)
	if !ok {
		return 0, errReply
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errReply
	}
	return n, nil
}

// decimal writes a number for Redis.
func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// unavailable is what the broker's callers are told of err.
func unavailable(err error) error {
	if err == nil || errors.Is(err, channels.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s", channels.ErrUnavailable, strings.TrimPrefix(err.Error(), "redisbroker: "))
}
