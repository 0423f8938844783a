package redisbroker

import (
	"crypto/sha1"
	"embed"
	"encoding/hex"
)

//go:embed lua/*.lua
var sources embed.FS

// A script is a Lua script that Redis runs in one step.
type script struct {
	text, sha string
}

func newScript(files ...string) *script {
	text := ""
	for _, f := range append([]string{"prelude"}, files...) {
		source, err := sources.ReadFile("lua/" + f + ".lua")
		if err != nil {
			panic(err) // they are part of the program
		}
		text += string(source)
	}
	sum := sha1.Sum([]byte(text))
	return &script{text, hex.EncodeToString(sum[:])}
}

var (
	publishScript      = newScript("stream", "publish")
	verifyScript       = newScript("place", "stream", "change", "verify")
	syncScript         = newScript("place", "stream", "change", "members", "state", "sync")
	sweepScript        = newScript("place", "stream", "change", "members", "sweep")
	catchUpScript      = newScript("place", "state", "catchup")
	infoScript         = newScript("place", "info")
	membersScript      = newScript("place", "state", "memberlist")
	occupiedScript     = newScript("occupied")
	beatScript         = newScript("beat")
	fenceScript        = newScript("fence")
	buriedScript       = newScript("buried")
	controlScript      = newScript("control")
	controlSinceScript = newScript("controlsince")
	keepGrantScript    = newScript("keepgrant")
	takeGrantScript    = newScript("takegrant")
	aliveScript        = newScript("alive")
	askScript          = newScript("ask")
	answerScript       = newScript("answer")
)
