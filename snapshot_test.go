package sluice_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// fullSnapshot has every noun with every field of its wire form set, so that a
// renamed or dropped field shows up in the golden file.
func fullSnapshot() *sluice.Snapshot {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	meta := func(id uint64, name string) sluice.Meta {
		return sluice.Meta{ID: id, Name: name, Tenant: "acme", Description: "about " + name, Version: 3, CreatedAt: at, UpdatedAt: at.Add(time.Hour)}
	}
	plugins := map[string]json.RawMessage{"cors": json.RawMessage(`{"allow_origins":["https://example.com"]}`)}
	timeouts := sluice.Timeouts{ConnectMS: 1, FirstByteMS: 2, IdleMS: 3, TotalMS: 4}
	yes, no := new(true), new(false)
	return &sluice.Snapshot{
		Schema: sluice.SnapshotSchema, Revision: 42,
		Tenants: []sluice.Tenant{{Meta: meta(1, "acme"), Status: sluice.StatusActive}},
		Groups: []sluice.Group{{Meta: meta(2, "default"), Strategy: sluice.StrategyWeighted,
			SharedWith: []string{"*"}, MaxAttempts: 3, Plugins: plugins}},
		Providers: []sluice.Provider{{Meta: meta(3, "main"), Type: "openai", BaseURL: "https://llm.example.com/v1",
			APIKey: "enc:v1:c2VhbGVk", HasAPIKey: true, Group: "default", Status: sluice.StatusActive, Weight: 2, Priority: 1,
			Models: []string{"gpt-*"}, ModelMap: map[string]string{"a": "b"}, APIVersion: "2026-01-01", Timeouts: timeouts,
			Settings: map[string]any{"seed": "7"}}},
		Models: []sluice.Model{{Meta: meta(4, "gpt-x"), ContextWindow: 128_000, MaxOutputTokens: 4096, CostPerToken: 37_500_000,
			SupportsVision: yes, SupportsFunctions: yes, SupportsToolChoice: no, SupportsFIM: no,
			Operations: []string{"chat"}, Status: sluice.StatusActive}},
		Upstreams: []sluice.Upstream{{Meta: meta(5, "billing"), Scheme: "https", PassHost: "rewrite", UpstreamHost: "billing.internal",
			Nodes:   []sluice.Node{{Host: "10.0.0.1", Port: 443, Weight: new(5), Priority: 1}},
			Retries: new(1), Timeouts: timeouts, TLSSkipVerify: true}},
		Routes: []sluice.Route{{Meta: meta(6, "billing"), Hosts: []string{"*.example.com"}, Paths: []string{"/billing/*"},
			Methods: []string{"GET"}, Priority: 9, Surface: "http", Upstream: "billing", Group: "default", StripPrefix: "/billing",
			Plugins: plugins, MaxBodyBytes: 1 << 20, Status: sluice.StatusActive}},
		Keys: []*sluice.Key{{Meta: meta(7, "laptop"), User: "ada", TokenHash: sluice.HashToken("slc_a"), Prefix: "slc_live_0123456789",
			Group: "default", Status: sluice.StatusActive, Weight: 1, Balance: 12_500_000_000, RPM: new(int64(60)), TPM: new(int64(100_000)),
			Models: []string{"gpt-*"}, ExpiresAt: at.AddDate(1, 0, 0), RetiringHash: sluice.HashToken("slc_b"), RetiringUntil: at,
			Plugins: plugins, LastUsedAt: at}},
		DisabledUsers: []sluice.UserRef{{Tenant: "acme", Name: "mallory"}},
		GlobalPlugins: plugins,
	}
}

// TestSnapshotGolden pins the wire form between the planes: a control of one
// release and a gateway of another meet on these bytes.
func TestSnapshotGolden(t *testing.T) {
	got, err := fullSnapshot().Encode()
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/snapshot/full.json", pretty.Bytes())

	back, err := sluice.DecodeSnapshot(got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(got, again) {
		t.Errorf("reading and writing changed the snapshot: %v\n%s\n%s", err, got, again)
	}
}

// TestSnapshotReadsEveryReleasedSchema reads the committed files of all schemas;
// a gateway that cannot read last release's last-good file does not start.
func TestSnapshotReadsEveryReleasedSchema(t *testing.T) {
	files, err := filepath.Glob("testdata/snapshot/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %d snapshot files: %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sluice.DecodeSnapshot(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if s.Revision == 0 || len(s.Keys) == 0 || s.Keys[0].TokenHash == "" {
			t.Errorf("%s: lost its revision or its keys", file)
		}
	}
}

// TestDecodeSnapshotRefuses keeps a damaged or foreign file from being served.
func TestDecodeSnapshotRefuses(t *testing.T) {
	for text, want := range map[string]sluice.Code{
		``:                              sluice.CodeConfig,
		`{`:                             sluice.CodeConfig,
		`[]`:                            sluice.CodeConfig,
		`{"schema":1} {"schema":1}`:     sluice.CodeConfig,
		`{"schema":1}]`:                 sluice.CodeConfig,
		`{"schema":1,"keys":{}}`:        sluice.CodeConfig,
		`{"schema":1,"keys":[null]}`:    sluice.CodeConfig,
		`{"schema":0}`:                  sluice.CodeSchemaNewer,
		`{"schema":2}`:                  sluice.CodeSchemaNewer,
		`{"revision":3}`:                sluice.CodeSchemaNewer,
		`{"schema":1,"revision":-1}`:    sluice.CodeConfig,
		`{"schema":1,"models":[1,2,3]}`: sluice.CodeConfig,
	} {
		if _, err := sluice.DecodeSnapshot([]byte(text)); sluice.CodeOf(err) != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestSnapshotHash tells equal configurations from different ones, whatever
// their revisions; the gateway skips a swap by it.
func TestSnapshotHash(t *testing.T) {
	a, b := fullSnapshot(), fullSnapshot()
	b.Revision = 43
	if hash(t, a) != hash(t, b) {
		t.Error("the revision is part of the hash")
	}
	b.Keys[0].Status = sluice.StatusDisabled
	if hash(t, a) == hash(t, b) {
		t.Error("a disabled key does not change the hash")
	}
	if a.Revision != 42 {
		t.Error("hashing changed the snapshot")
	}
}

func hash(t *testing.T, s *sluice.Snapshot) string {
	t.Helper()
	h, err := s.Hash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// FuzzDecodeSnapshot searches for bytes that crash a gateway at start, or that
// change when they are read and written.
func FuzzDecodeSnapshot(f *testing.F) {
	full, err := fullSnapshot().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"schema":1,"keys":[{"rpm":null,"balance":"1.5"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := sluice.DecodeSnapshot(b)
		if err != nil {
			return
		}
		once, err := s.Encode()
		if err != nil {
			return // raw plugin JSON can be valid on its own and still not compact
		}
		back, err := sluice.DecodeSnapshot(once)
		if err != nil {
			t.Fatalf("our own bytes are refused: %v\n%s", err, once)
		}
		twice, err := back.Encode()
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not stable: %v\n%s\n%s", err, once, twice)
		}
	})
}
