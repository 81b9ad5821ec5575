package wire

import "net"

// readHeld reads once into a leased buffer, which is held while it waits.
func readHeld(nc net.Conn, bufs *leases, size int) (*lease, int, error) {
	x := bufs.take(size)
	n, err := nc.Read(x.b)
	if n == 0 {
		x.release()
		return nil, 0, err
	}
	return x, n, err
}
