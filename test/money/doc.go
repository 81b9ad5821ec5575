// Package money holds the long proof of Sluice's money: real processes are
// killed, starved and cut off under load, and then three books are held against
// each other to the nano: the log of an upstream that counts for itself, the
// journals of the gateways, and the ledger in the database with the records
// beside it. It has tests alone; docs/RELIABILITY.md has their figures.
package money
