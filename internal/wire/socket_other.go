//go:build !linux

package wire

import "net"

// direct has no fast form here.
func direct(nc net.Conn) net.Conn { return nc }

// vectored returns what writev can be had on.
func vectored(nc net.Conn) net.Conn { return nc }

// writeNow has no form that does not wait here.
func writeNow(net.Conn, []byte) (n int, tried bool, err error) { return 0, false, nil }

// readLease reads once into a buffer of that size from the pool; there is none
// when nothing came.
func readLease(nc net.Conn, bufs *leases, size int) (*lease, int, error) {
	return readHeld(nc, bufs, size)
}
