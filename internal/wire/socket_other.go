//go:build !linux

package wire

import "net"

// direct has no fast form here.
func direct(nc net.Conn) net.Conn { return nc }

// vectored returns what writev can be had on.
func vectored(nc net.Conn) net.Conn { return nc }

// writeNow has no form that does not wait here.
func writeNow(net.Conn, []byte) (n int, tried bool, err error) { return 0, false, nil }
