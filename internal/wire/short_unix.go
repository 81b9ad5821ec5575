//go:build unix

package wire

import (
	"errors"
	"syscall"
)

// short reports whether accepting failed for want of something that comes back.
func short(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
