// Package form holds the intermediate forms that every translation passes
// through: [Chat] is what a conversation request says, [Event] is one step of
// its answer, [Embed] is a request for embeddings. N surfaces read requests
// into them and write answers from them, M dialects the other way round, so
// that N + M codecs translate N x M pairs.
//
// A surface implements [Front], a dialect implements [Back]. A back reports
// what it reads through an [Emitter], which keeps the order that every
// [Writer] relies on: parts come one after the other, whichever way the
// provider interleaved them. Package convert drives both ends.
//
// The package knows no protocol and performs no I/O. Its values are used by
// one goroutine.
package form
