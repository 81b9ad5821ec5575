package link

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
)

// touchedField is one field that a change set or deleted.
type touchedField struct {
	hash    string
	deleted bool
	entry
}

// view is what Redis held at one moment.
type view struct {
	manifest manifest
	// known says that fields holds everything that changed since the base.
	known  bool
	fields []touchedField
}

// errEmpty tells that Redis holds no configuration: flushed, restarted empty, or
// never published to.
var errEmpty = errors.New("redis holds no configuration")

// view reads the revision and, when base is not 0, what changed since; more than
// most fields are not returned, but all of them are read in one atomic step.
func (r *Redis) view(ctx context.Context, base uint64, most int) (view, error) {
	keys := make([]string, 0, 3+len(hashes))
	keys = append(keys, r.key(keyRev), r.key(keyManifest), r.key(keyChanges))
	for _, h := range hashes {
		keys = append(keys, r.key(h))
	}
	from := ""
	if base > 0 {
		from = strconv.FormatUint(base, 10)
	}
	raw, err := readScript.Run(ctx, r.client, keys, from, most, r.prefix).Slice()
	if err != nil {
		return view{}, redisError("read the configuration", err)
	}
	return parseView(raw)
}

func parseView(raw []any) (v view, err error) {
	if len(raw) < 3 || (len(raw)-3)%4 != 0 {
		return v, fmt.Errorf("read the configuration: %d values", len(raw))
	}
	rev, _ := raw[0].(string)
	if rev == "" {
		return v, sluice.Errorf(sluice.CodeUnavailable, "Redis holds no configuration yet").Because(errEmpty)
	}
	pairs, _ := raw[1].([]any)
	fields := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		fields[text(pairs[i])] = text(pairs[i+1])
	}
	if v.manifest, err = parseManifest(rev, fields); err != nil {
		return v, err
	}
	known, _ := raw[2].(int64)
	v.known = known == 1
	for i := 3; i < len(raw); i += 4 {
		v.fields = append(v.fields, touchedField{text(raw[i]), text(raw[i+2]) == "0", entry{text(raw[i+1]), text(raw[i+3])}})
	}
	return v, nil
}

func text(v any) string { s, _ := v.(string); return s }

// redisError gives an error of Redis a code: what the server says of our data
// (WRONGTYPE) is a fault of the configuration, everything else passes.
func redisError(doing string, err error) error {
	var reply redis.Error
	if errors.As(err, &reply) && redis.HasErrorPrefix(err, "WRONGTYPE") {
		return sluice.Errorf(sluice.CodeConfig, "a key of Redis has another type than ours: run `sluice sync`").Because(fmt.Errorf("%s: %w", doing, err))
	}
	return unavailable(fmt.Errorf("%s: %w", doing, err))
}
