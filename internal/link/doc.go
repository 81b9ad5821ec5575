// Package link carries the four ports between control and gateway, within one
// process and across several. Every implementation of a port passes the port's
// conformance suite in this package's tests.
//
//	port       one process    several
//	Snapshots  Board          RedisPublisher -> RedisSnapshots
//	Admission  Local          RedisAdmission
//	Events     Ingest         EventsClient -> EventsHandler
//	Status     StatusBoard    StatusClient -> StatusHandler; acknowledgements in Redis
//
// [AccessLogs] takes access logs of others (POST /logs), which are never money.
// What lies in Redis is a public contract: docs/REDIS.md.
//
// The package decides nothing about configuration, limits or money; it keeps the
// promises that planes.go writes down.
package link
