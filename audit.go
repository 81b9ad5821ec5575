package sluice

import (
	"encoding/json"
	"time"
)

// AuditEntry is one line of the append-only audit log. Each entry's hash covers
// its content and the hash before it, so that a changed, removed or inserted
// entry breaks the chain.
type AuditEntry struct {
	// Seq numbers the entries from 1 without gaps.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Tenant is the tenant whose object was touched.
	Tenant string `json:"tenant"`
	// Actor is "<tenant>/<user>", or "system".
	Actor string `json:"actor"`
	// Action is what was done: create, update, delete, rotate, sign_in, …
	Action string `json:"action"`
	Kind   Kind   `json:"kind,omitempty"`
	// Object is the name of what was touched and ObjectID its number.
	Object   string `json:"object,omitempty"`
	ObjectID uint64 `json:"object_id,omitempty"`
	// Diff holds the changed fields as {"field": [before, after]}, secrets masked.
	Diff      json.RawMessage `json:"diff,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	IP        string          `json:"ip,omitempty"`
	// PrevHash and Hash are hex SHA-256; the first entry's PrevHash is empty.
	PrevHash string `json:"prev_hash,omitempty"`
	Hash     string `json:"hash"`
}

// AuditQuery selects audit entries, newest first.
type AuditQuery struct {
	// Tenant limits the entries to one tenant; empty means the caller's own,
	// "*" every tenant the caller may see.
	Tenant, Actor, Action string
	Kind                  Kind
	Object                string
	// From (inclusive) and To (exclusive) bound the time; zero is open.
	From, To time.Time
	Cursor   string
	Limit    int
}

// Tokens is what a successful sign-in or refresh gives.
type Tokens struct {
	// AccessToken is a bearer token for the control API, valid for ExpiresIn
	// seconds.
	AccessToken string `json:"access_token"`
	// TokenType is always "Bearer".
	TokenType string `json:"token_type"`
	ExpiresIn int64  `json:"expires_in"`
	// RefreshToken buys the next pair, once; using it twice revokes every token
	// that descends from the same sign-in.
	RefreshToken string `json:"refresh_token"`
}
