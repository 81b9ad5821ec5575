// Package journal is the durable local log of what requests cost: OPEN before
// an attempt's first upstream byte, PROGRESS while it streams, TERMINAL before
// the last frame leaves. It refuses to know prices, balances and networks; it
// promises that an entry it has called durable is read again after any crash,
// in order, unaltered, until the books have it.
//
// The life of a request, from the gateway's side:
//
//	seq, err := j.Append(&journal.Entry{Kind: journal.Open, ...}) // inside Admit, after the hold
//	go dial()                                                    // no upstream byte yet
//	err = j.Wait(ctx, seq, journal.Synced)                       // strict; Written for fast
//	... PROGRESS every 2 s or 256 tokens: Append, no Wait
//	seq, err = j.Append(&journal.Entry{Kind: journal.Terminal, ...})
//	err = j.Wait(ctx, seq, journal.Synced)                       // then, and only then, the last frame
//
// Append copies the entry into memory and does not allocate; one goroutine
// ([Journal.Run]) writes what has gathered and calls fsync once for all of it, at
// once for who waits for Synced and else within 5 ms.
// Every attempt is opened and ended exactly once, and every request has exactly
// one final TERMINAL; Append refuses anything else. What a crash leaves open is
// ended by [Journal.EndCrashed] from its last PROGRESS.
//
// Durable entries reach the books through a [Shipper], in order and at least
// once. Segments are removed when the books have answered that everything in
// them is durably applied, never before, and not while they hold the OPEN of a
// request that still runs.
//
// # On disk
//
// A journal is a folder of numbered segments. A segment is a header of 72 bytes
// and frames; a frame is length, CRC-32C, chain hash, then the body. The chain
// hash is SHA-256 over the previous one and the body, cut to 16 bytes, so no
// entry can be changed, dropped or inserted unnoticed. A segment is never
// appended to after the process that wrote it has gone, nor after a failed
// write or fsync: a new one begins and its header says which entry it
// continues, so that what an old segment holds beyond that point is void.
//
// What a killed process wrote and nothing shows to be durable is copied into a
// segment of its own when the journal is opened, because another fsync of the
// old file may succeed and save nothing; until then the old frames count, tied by
// the chain.
//
// Every opening writes under an id of its own, which its segments carry: the
// books keep a position for each. A folder that was put back from a snapshot, or
// copied, can therefore never take another process's entries for its own.
//
// Entries are numbered by epoch (how often the journal was opened, 24 bits) and
// count (40 bits): a number is never given twice, even when the end of a
// journal is lost together with numbers that the books already know.
package journal
