package link

import "strconv"

// DigestForTest is a manifest's line for a hash.
func DigestForTest(fields map[string]string) string {
	var d digest
	for f, v := range fields {
		d.add(entry{f, v})
	}
	return d.String()
}

// IDField is the field of an id.
func IDField(id uint64) string { return strconv.FormatUint(id, 10) }
