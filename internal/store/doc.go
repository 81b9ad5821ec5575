// Package store keeps everything that control owns: all SQL of Sluice is here,
// written once for SQLite and PostgreSQL.
//
// It knows tables, transactions and their errors, and nothing of permissions or
// HTTP: whoever calls [DB.Write] has already decided that the write may happen.
// Start at [Open].
package store
