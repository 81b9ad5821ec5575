// Package sim runs the real journal and ledger over a simulated clock, disk,
// database and transport, one step at a time, by a seed. Everything that runs -
// requests, the journal's writer, shippers, expiry, top-ups - is a coroutine that
// yields at every operation of disk, database and network, and whoever goes on is
// drawn from the seed: one seed is one history, replayed exactly.
//
// At any yield the process may be killed, the power may fail (what was not synced
// survives by sectors, or not), writes and fsyncs may fail, messages to the books
// may be dropped, delayed, repeated and reordered, and a commit's answer may be
// lost. Then the world is left in peace until everything is settled, and an
// oracle compares three books that were kept apart - what the upstream served,
// what the journal says, what the ledger booked - to the nano, and checks the
// invariants of docs/money.md.
//
// [Run] plays one seed. The driver in gateway.go is also the protocol that the
// real gateway follows, step by step.
package sim
