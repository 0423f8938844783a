package redisbroker_test

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9/logging"
)

func TestMain(m *testing.M) {
	logging.Disable() // every Redis that a test ends would be complained about
	if config := os.Getenv(nodeVariable); config != "" {
		beNode(config)
		return
	}
	os.Exit(m.Run())
}
