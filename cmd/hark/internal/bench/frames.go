package bench

import (
	"encoding/binary"
	"errors"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

const (
	finalBit = 0x80
	maskBit  = 0x80
	length16 = 126 // the length follows in 2 bytes
	length64 = 127 // the length follows in 8 bytes
)

// maxFrame bounds what a server may make the client keep, in bytes: the roster of a large presence channel is long.
const maxFrame = 16 << 20

var (
	errFragmented = errors.New("the server sent a message in several frames, or a frame with an extension, which this client does not read")
	errMasked     = errors.New("the server masked a frame, which only clients do")
	errHugeFrame  = errors.New("the server sent a frame of more than 16 MiB")
)

// A frame is one websocket frame of the server.
type frame struct {
	opcode  byte
	payload []byte // part of what was scanned
}

// scanFrame cuts the first frame off b. It returns 0 and no error while b does not hold all of it, else the frame and how many
// bytes it took. Servers send whole messages unmasked; anything else is an error.
func scanFrame(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	f.opcode = b[0] &^ finalBit
	if b[0]&finalBit == 0 || f.opcode > 0xF || f.opcode == opContinuation {
		return f, 0, errFragmented
	}
	if b[1]&maskBit != 0 {
		return f, 0, errMasked
	}
	head, size := 2, int(b[1])
	switch size {
	case length16:
		head = 4
		if len(b) < head {
			return f, 0, nil
		}
		size = int(binary.BigEndian.Uint16(b[2:]))
	case length64:
		head = 10
		if len(b) < head {
			return f, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxFrame {
			return f, 0, errHugeFrame
		}
		size = int(long)
	}
	if len(b) < head+size {
		return f, 0, nil
	}
	f.payload = b[head : head+size]
	return f, head + size, nil
}

// appendClientFrame appends a frame as clients send it. Its mask is zero, which is a mask like any other: the bytes need not be
// changed, and the server does its work all the same.
func appendClientFrame(b []byte, opcode byte, payload []byte) []byte {
	return append(appendHead(b, opcode, len(payload), maskBit, 4), payload...)
}

// appendServerFrame appends a frame as servers send it.
func appendServerFrame(b []byte, opcode byte, payload []byte) []byte {
	return append(appendHead(b, opcode, len(payload), 0, 0), payload...)
}

func appendHead(b []byte, opcode byte, size int, mask byte, maskLength int) []byte {
	b = append(b, finalBit|opcode)
	switch {
	case size < length16:
		b = append(b, mask|byte(size))
	case size < 1<<16:
		b = append(b, mask|length16)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
	default:
		b = append(b, mask|length64)
		b = binary.BigEndian.AppendUint64(b, uint64(size))
	}
	return append(b, make([]byte, maskLength)...)
}
