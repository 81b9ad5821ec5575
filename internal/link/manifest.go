package link

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

// manifest is the hash config:manifest: what the published hashes hold.
type manifest struct {
	rev    uint64
	schema int
	// forced is the last revision whose shrinking was confirmed by a person.
	forced  uint64
	at      time.Time // when rev was published, by the clock of Redis
	digests [len(hashes)]digest
}

// manifestArgs renders the part of a manifest that its publisher knows; the scripts
// add rev, at and forced.
func manifestArgs(c content) []any {
	args := []any{"schema", strconv.Itoa(sluice.SnapshotSchema)}
	for i, d := range c.digests {
		args = append(args, hashes[i], d.String())
	}
	return args
}

// parseManifest reads the hash. Fields of a later version are ignored; those of
// this one that a newer schema may lack are judged by the schema.
func parseManifest(rev string, fields map[string]string) (m manifest, err error) {
	if m.rev, err = strconv.ParseUint(rev, 10, 64); err != nil || fields["rev"] != rev {
		return m, sluice.Errorf(sluice.CodeConfig, "%s is %.20q and %s says %.20q", keyRev, rev, keyManifest, fields["rev"])
	}
	if m.schema, err = strconv.Atoi(fields["schema"]); err != nil || m.schema < 1 {
		return m, sluice.Errorf(sluice.CodeConfig, "%s has no schema", keyManifest)
	}
	if m.schema > sluice.SnapshotSchema {
		return m, sluice.Errorf(sluice.CodeSchemaNewer, "the published configuration has schema %d, this gateway reads up to %d", m.schema, sluice.SnapshotSchema)
	}
	for i, name := range hashes {
		if _, said := fields[name]; !said && name == hashPrices {
			continue // of a control from before there were prices
		}
		if m.digests[i], err = parseDigest(fields[name]); err != nil {
			return m, sluice.Errorf(sluice.CodeConfig, "%s says %.40q of %s", keyManifest, fields[name], name).Because(err)
		}
	}
	m.forced, _ = strconv.ParseUint(fields["forced"], 10, 64) // absent before the first
	if ms, err := strconv.ParseInt(fields["at"], 10, 64); err == nil {
		m.at = time.UnixMilli(ms)
	}
	return m, nil
}

// rendered is the manifest's form of what a mirror holds, by the names of the
// hashes; keys that it does not hold it cannot vouch for.
func (m *mirror) rendered() map[string]string {
	all := make(map[string]string, len(hashes))
	for i, name := range hashes {
		if i != keysHash || !m.partial {
			all[name] = m.digests[i].String()
		}
	}
	return all
}

// mismatch says which hash is not what the manifest says, or "".
func (m *manifest) mismatch(got [len(hashes)]digest) string {
	for i, want := range m.digests {
		if got[i] != want {
			return fmt.Sprintf("%s holds %d fields that sum to %016x, its manifest says %d and %016x", hashes[i], got[i].count, got[i].sum, want.count, want.sum)
		}
	}
	return ""
}
