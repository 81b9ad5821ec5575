// Package seal encrypts secrets at rest: each value under AES-256-GCM with a
// key of its tenant that is derived from one 32-byte master key, bound to the
// place where it is kept, so that a sealed value copied elsewhere does not open.
//
// It knows nothing of databases or snapshots. Start at [Keyring]; a process
// gets one from [Parse] (a setting) or [LoadOrCreate] (a file, development).
package seal
