package channels_test

import (
	"testing"

	"hark/channels"
	"hark/channels/brokertest"
)

func TestMemory(t *testing.T) {
	brokertest.Run(t, func(*testing.T) channels.Broker { return channels.NewMemory() })
}
