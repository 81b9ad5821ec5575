//go:build !linux

package wire

import "net"

// probe can not look into a socket here.
type probe struct{}

// quiet trusts the connection: a stale one shows when it is used.
func (probe) quiet(net.Conn) bool { return true }
