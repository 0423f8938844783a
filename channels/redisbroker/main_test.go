package redisbroker_test

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9/logging"
)

func TestMain(m *testing.M) {
	logging.Disable() // every Redis that a test ends would be complained about
	os.Exit(m.Run())
}
