// Package link carries the four ports between control and gateway. What is here
// runs within one process: [Board] for snapshots, [Local] for admission,
// [Ingest] for events and [StatusBoard] for status. Every implementation of a
// port passes the port's conformance suite in this package's tests.
//
// It decides nothing about configuration, limits or money; it keeps the
// promises that planes.go writes down.
package link
