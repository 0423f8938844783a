package protocol_test

import (
	"testing"

	"hark/protocol"
)

func TestErrorFrame(t *testing.T) {
	for _, c := range []struct {
		err  *protocol.Error
		want string
	}{
		{protocol.InvalidJSON(), `{"event":"pusher:error","data":{"code":null,"message":"Received invalid JSON"}}`},
		{protocol.UnknownApp("X"), `{"event":"pusher:error","data":{"code":4001,"message":` +
			`"App key X not in this cluster. Did you forget to specify the cluster?"}}`},
		{protocol.NewError(protocol.CloseOverQuota), `{"event":"pusher:error","data":{"code":4004,"message":"Account over quota"}}`},
		{protocol.UnsupportedEvent("a\"\xff<"), `{"event":"pusher:error","data":{"code":null,"message":` +
			`"Unsupported event received on socket: a\"�<"}}`},
		{&protocol.Error{Code: 4301, Message: "no", Channel: "private-x"},
			`{"event":"pusher:error","channel":"private-x","data":{"code":4301,"message":"no"}}`},
	} {
		if got := string(c.err.Frame().JSON()); got != c.want {
			t.Errorf("Frame of %v:\n got %s\nwant %s", c.err, got, c.want)
		}
	}
}

// People search for these words, and client code compares with them.
func TestOfficialTexts(t *testing.T) {
	for _, c := range []struct {
		got  error
		want string
	}{
		{protocol.InvalidClientEvent(), "Invalid client event (must contain channel and data)"},
		{protocol.ExistingSubscription("x"), "Existing subscription to channel x"},
		{protocol.ClientEventsDisabled(),
			"To send client events, you must enable this feature in the Settings page of your dashboard."},
		{protocol.ClientEventKind(), "Client event rejected - only supported on private and presence channels"},
		{protocol.ClientEventNotSubscribed("x"), "Cannot broadcast client event (connection not subscribed to channel x)"},
		{protocol.UnsupportedEvent("foo"), "Unsupported event received on socket: foo"},
		{protocol.InvalidSignature("private-x", "1.1:private-x", "ab"),
			"Invalid signature: Expected HMAC SHA256 hex digest of 1.1:private-x, but got ab"},
		{protocol.InvalidKey("private-x", "KEY"), "Invalid key in subscription auth data: 'KEY'"},
		{protocol.AuthRequired("private-x"), "Auth info required to subscribe to private-x"},
		{protocol.InvalidAuthFormat("private-x"),
			"Auth value for subscription to private-x is invalid: should be of format 'key:signature'"},
		{protocol.ChannelDataRequired("presence-x"),
			"presence-x is a presence channel and subscription must include channel_data"},
		{protocol.NewError(protocol.CloseOverQuota), "4004 Account over quota"},
		{protocol.ClientEventData(10240), "Client event rejected: its data exceeds the allowed maximum (10240 bytes)"},
		{protocol.ClientEventRate(10), "4301 Client event rejected: over the rate limit of 10 per second, send fewer"},
	} {
		if got := c.got.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestRejectionFrames(t *testing.T) {
	for _, c := range []struct {
		rejection       *protocol.Rejection
		err, subscribed string
	}{
		{protocol.AuthRequired("private-x"),
			`{"event":"pusher:error","data":{"code":null,"message":"Auth info required to subscribe to private-x"}}`,
			`{"event":"pusher:subscription_error","channel":"private-x","data":` +
				`"{\"type\":\"AuthError\",\"error\":\"Auth info required to subscribe to private-x\",\"status\":401}"}`},
		{protocol.TooManyMembers("presence-x", 100),
			`{"event":"pusher:error","data":{"code":null,"message":"presence-x has reached its limit of 100 members"}}`,
			`{"event":"pusher:subscription_error","channel":"presence-x","data":` +
				`"{\"type\":\"LimitReached\",\"error\":\"presence-x has reached its limit of 100 members\",\"status\":413}"}`},
		{&protocol.Rejection{Channel: "a\"\xff", Type: protocol.InvalidChannel, Status: 400, Message: "no \"\xff"},
			`{"event":"pusher:error","data":{"code":null,"message":"no \"�"}}`,
			`{"event":"pusher:subscription_error","channel":"a\"�","data":` +
				`"{\"type\":\"InvalidChannel\",\"error\":\"no \\\"�\",\"status\":400}"}`},
	} {
		frames := c.rejection.Frames()
		if len(frames) != 2 {
			t.Fatalf("%v has %d frames, want 2", c.rejection, len(frames))
		}
		if got := string(frames[0].JSON()); got != c.err {
			t.Errorf("first frame:\n got %s\nwant %s", got, c.err)
		}
		if got := string(frames[1].JSON()); got != c.subscribed {
			t.Errorf("second frame:\n got %s\nwant %s", got, c.subscribed)
		}
	}
}

func TestRejectionTypes(t *testing.T) {
	for _, c := range []struct {
		rejection *protocol.Rejection
		typ       string
		status    int
	}{
		{protocol.InvalidSignature("c", "a", "b"), protocol.AuthError, 401},
		{protocol.InvalidKey("c", "k"), protocol.AuthError, 401},
		{protocol.InvalidAuthFormat("c"), protocol.AuthError, 401},
		{protocol.ChannelDataRequired("c"), protocol.AuthError, 401},
		{protocol.NotThatUser("c"), protocol.AuthError, 401},
		{protocol.TooManyChannels("c", 1000), protocol.LimitReached, 413},
	} {
		if r := c.rejection; r.Type != c.typ || r.Status != c.status || r.Channel != "c" || r.Message == "" {
			t.Errorf("%+v, want type %s and status %d on channel c", r, c.typ, c.status)
		}
	}
}
