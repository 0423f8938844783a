// Package examples tests the backends beside it as an application would run them: each as the program that it is, asked by
// hark serve with the one hark.yaml.
//
//	backend.php   plain PHP
//	backend.mjs   Node without a framework
package examples

import (
	"os"
	"testing"

	"hark/conformance/internal/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m)) }
