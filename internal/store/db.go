package store

// DB is the database.
type DB struct{}
