// Package anthropic speaks Anthropic's Messages API on both sides: the surface
// that clients with an official SDK use, and the dialect of targets that answer
// in kind. Between the two, bodies pass through byte for byte, but for the
// model's name and thoughts that another provider signed; to and from other
// protocols they are translated through package form.
//
// Start at [Surface] and [Dialect]. Reading a request is in front.go and what it
// calls, writing an answer in writer.go, writing a request in back.go, reading an
// answer in decoder.go. The package does no I/O and knows nothing of keys, groups
// or prices. docs/dialects/anthropic.md holds its rules in plain sentences.
package anthropic

import "github.com/sluicegate/sluice/internal/dialect/form"

// Name is the name of both the surface and the dialect.
const Name = "anthropic"

// origin marks what is of this protocol alone: signatures, sealed thoughts, blocks.
const origin = form.OriginAnthropic
