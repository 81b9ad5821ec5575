//go:build !linux

package wire

import "net"

// direct has no fast form here.
func direct(nc net.Conn) net.Conn { return nc }

// vectored returns what writev can be had on.
func vectored(nc net.Conn) net.Conn { return nc }
