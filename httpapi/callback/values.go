package callback

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// latest is the end of the year 9999 in seconds since 1970: who says something later means milliseconds.
const latest = 253402300799

// readEnd reads the earlier of two times, in seconds since 1970; zero: there is none.
func readEnd(times ...*float64) (end time.Time, err error) {
	for _, t := range times {
		if t == nil {
			continue
		}
		if *t > latest {
			return time.Time{}, errors.New(`"expires_at" is too late: it is in seconds since 1970, not milliseconds`)
		}
		whole, part := math.Modf(max(*t, 0))
		at := time.Unix(int64(whole), int64(part*1e9))
		if end.IsZero() || at.Before(end) {
			end = at
		}
	}
	return end, nil
}

// readCache reads for how long an answer may be remembered; nil: not at all.
func readCache(seconds *float64) (time.Duration, error) {
	if seconds == nil {
		return 0, nil
	}
	if *seconds < 0 {
		return 0, errors.New(`"cache" is negative: it is in seconds`)
	}
	return duration(*seconds), nil
}

// readTTL reads when a yes lapses; nil: it does not.
func readTTL(seconds *float64) (time.Duration, error) {
	if seconds == nil {
		return 0, nil
	}
	ttl := duration(*seconds)
	if ttl <= 0 {
		return 0, errors.New(`"ttl" must be more than 0 seconds; leave it out if the permission does not lapse`)
	}
	return ttl, nil
}

// duration converts seconds, at most a hundred years of them.
func duration(seconds float64) time.Duration {
	const most = 100 * 365 * 24 * 3600
	return time.Duration(min(seconds, most) * float64(time.Second))
}

// readInfo takes an object; null is nil.
func readInfo(v jsontext.Value) (jsontext.Value, error) {
	switch v.Kind() {
	case 0, 'n':
		return nil, nil
	case '{':
		return v, nil
	}
	return nil, fmt.Errorf(`"info" must be an object, not %s`, v.Kind())
}
