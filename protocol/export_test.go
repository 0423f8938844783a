package protocol

// The two ways of Decode.
var (
	ScanMessage  = scanMessage
	ParseMessage = parseMessage
)
