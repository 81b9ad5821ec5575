// Package ledger is the double-entry book: accounts, transfers and the rules by
// which holds become charges. It is a deterministic machine in memory, it is
// told the time, it does no I/O of its own, and it refuses to know prices, HTTP
// and SQL: a [Store] is the system of record.
//
// # How it is used
//
// Admission calls [Book.Hold] before the first upstream byte: the decision is
// made in memory, under one lock, in less than a microsecond. What it sets
// aside is a promise: nothing is written, and a crash forgets it together with
// the request. [Book.Release] takes it back while no OPEN was journaled, and
// [Book.Extend] raises it while a request runs.
//
// Everything else comes from the journal. Its shipper hands entries in order to
// [Poster.Receive], which applies them to the book - OPEN turns the promise into
// pending transfers, the final TERMINAL resolves them - and commits the
// resulting transfers and the journal position in one transaction of the store.
// What the store answers is what the journal may forget. After a crash
// [Poster.Start] loads the store's state, and the journal sends again what the
// store does not have; ids are derived from requests, so nothing happens twice.
//
// Transfers that no request makes (top-ups, grants, refunds) go through
// [Poster.Transfer], and the wallets and grants that they need through
// [Poster.Open].
//
// # Terms
//
// The book knows no customers. What a wallet may go down to, and how much may be
// spent under a cap, travels with every [sluice.Hold]: the ledger opens the
// accounts that it meets for the first time, promised or not, and follows when
// the terms have changed. Where a limit was lowered below what is used already,
// nothing more is spent; the account's floor, which must be true at every moment,
// takes only what it can and the rest as money comes in.
//
// # Rules
//
// A charge is posted against its pending transfers, at most up to their amount;
// what it exceeds them by is another transfer, from the grants and the wallet as
// far as they reach, then from the receivable (or the house's loss). Settling
// never fails for lack of balance. Whatever raises what an account may spend - a
// top-up, the released rest of a hold, an expired hold - counts once the store
// has it: a crash can never take back money that was already promised again.
// What is paid into a wallet first repays what its owner owes.
//
// Invariants are asserted after every step: a book that does not balance answers
// nothing any more rather than go on (see [Book.Broken], [Book.Check] and
// [Verify]).
package ledger
