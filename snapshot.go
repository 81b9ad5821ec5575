package sluice

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// SnapshotSchema is the version of the snapshot's shape. Fields are only ever
// added; a gateway reads every schema up to its own.
const SnapshotSchema = 1

// Snapshot is all that a gateway knows: immutable, numbered, plain JSON.
// Secrets in it are sealed. Objects appear sorted by tenant and name, so that
// equal configurations have equal bytes.
type Snapshot struct {
	Schema int `json:"schema"`
	// Revision grows with every change; a gateway never goes back.
	Revision  uint64     `json:"revision"`
	Tenants   []Tenant   `json:"tenants"`
	Groups    []Group    `json:"groups"`
	Providers []Provider `json:"providers"`
	Models    []Model    `json:"models"`
	Upstreams []Upstream `json:"upstreams"`
	Routes    []Route    `json:"routes"`
	// Keys are pointers, because there are many: a snapshot shares with the one
	// before it those that did not change, and a difference is found at a glance.
	Keys []*Key `json:"keys"`
	// MoreKeys says that there are more keys than Keys holds; a gateway asks its
	// [KeySource] for those.
	MoreKeys bool `json:"more_keys,omitempty"`
	// Prices are those that hold now, or held within the hour before the last of
	// them was made, and those that will hold; by version.
	Prices []Price `json:"prices,omitempty"`
	// Users tells a gateway which users are disabled; it holds only those.
	DisabledUsers []UserRef `json:"disabled_users"`
	// GlobalPlugins run on every route, before the route's own.
	GlobalPlugins map[string]json.RawMessage `json:"global_plugins,omitempty"`
}

// UserRef names a user within a tenant.
type UserRef struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
}

// Encode renders the snapshot as JSON.
func (s *Snapshot) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return b.Bytes(), err
}

// DecodeSnapshot reads a snapshot of this or an earlier schema. Unknown fields
// are ignored, because a newer control may add some; a newer schema is refused
// with [CodeSchemaNewer].
func DecodeSnapshot(b []byte) (*Snapshot, error) {
	var s Snapshot
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&s); err != nil {
		return nil, Errorf(CodeConfig, "the snapshot is not valid JSON").Because(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, Errorf(CodeConfig, "the snapshot is followed by other data")
	}
	if slices.Contains(s.Keys, nil) {
		return nil, Errorf(CodeConfig, "the snapshot has a key that is null")
	}
	if s.Schema < 1 || s.Schema > SnapshotSchema {
		return nil, Errorf(CodeSchemaNewer, "the snapshot has schema %d, this binary reads 1 to %d", s.Schema, SnapshotSchema)
	}
	return &s, nil
}

// Hash returns the hex SHA-256 of the encoded content without its revision:
// equal hashes mean equal configurations.
func (s *Snapshot) Hash() (string, error) {
	content := *s
	content.Revision = 0
	b, err := content.Encode()
	if err != nil {
		return "", fmt.Errorf("hash snapshot %d: %w", s.Revision, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
